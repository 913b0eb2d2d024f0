"""The packet path, pure: who decides this packet, and the narrowest change that lets it in.

`path.decide` answers one flow, `explain.explain` with the full trace; `entries.entries` lists how a VM can be dialled,
`exposure.admits_outside` who else gets in, `rule_plan.plan_rule` which NSG rule would admit given sources.
"""
