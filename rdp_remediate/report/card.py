"""A report as a Teams message."""

import json

from rdp_remediate.models.report import Report
from rdp_remediate.report.wording import plain


def message(report: Report) -> bytes:
    """The message."""
    return json.dumps(
        {
            "type": "message",
            "attachments": [
                {
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "contentUrl": None,
                    "content": {
                        "type": "AdaptiveCard",
                        "version": "1.4",
                        "body": [{"type": "TextBlock", "wrap": True, "text": plain(report.verdict.headline, 500)}],
                    },
                }
            ],
        }
    ).encode()
