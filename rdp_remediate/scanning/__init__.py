"""The scan: an overview of the network path to every VM of whole subscriptions."""
