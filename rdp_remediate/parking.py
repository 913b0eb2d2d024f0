"""How a run goes to its next pass, waits, and goes on: the moves between its phases. Pure but for the clock."""

from datetime import datetime, timedelta

from rdp_remediate.models.run import Phase, Run, Wait
from rdp_remediate.ports import Services

MAX_PASSES = 4


def next_pass(run: Run) -> Run:
    """The run at the beginning of its next pass, which looks at everything again."""
    return run.model_copy(
        update={
            "phase": Phase.COLLECT,
            "pass_number": min(run.pass_number + 1, MAX_PASSES),
            "wait": None,
            "resume": None,
        }
    )


def park(run: Run, wait: Wait, resume: Phase) -> Run:
    """The run while it waits; it goes on in the phase `resume`."""
    return run.model_copy(update={"phase": Phase.WAIT, "wait": wait, "resume": resume, "due_at": wait.until})


def unpark(run: Run) -> Run:
    """The run when its wait is over."""
    return run.model_copy(update={"phase": run.resume or Phase.COLLECT, "wait": None, "resume": None, "due_at": None})


def later(services: Services, seconds: float) -> datetime:
    """The moment some seconds from now."""
    return services.clock.now() + timedelta(seconds=seconds)
