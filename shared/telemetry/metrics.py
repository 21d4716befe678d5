"""Every Prometheus metric of Hanse, so that names and labels stay one vocabulary.

Label values are bounded: names of controllers, outcomes, clusters; never of user objects.
"""

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter(
    "hanse_reconciles_total", "Reconciled keys by outcome", ["controller", "outcome"]
)
RECONCILE_SECONDS = Histogram(
    "hanse_reconcile_seconds",
    "How long one key took",
    ["controller"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
QUEUE_LENGTH = Gauge("hanse_queue_length", "Keys waiting", ["controller"])
REQUESTS = Counter("hanse_requests_total", "Requests served", ["verb", "code"])
REQUEST_SECONDS = Histogram("hanse_request_seconds", "How long one request took", ["verb"])
WATCHES = Gauge("hanse_watches", "Watches served now")
MEMBER_CALLS = Counter(
    "hanse_member_calls_total", "Calls to members' APIs", ["cluster", "verb", "outcome"]
)
MEMBER_CONCURRENCY = Gauge(
    "hanse_member_concurrency", "Objects that a member may have in hand now", ["cluster"]
)
WORKS_APPLIED = Counter("hanse_works_applied_total", "Orders carried out", ["cluster", "outcome"])
DRIFT_CORRECTED = Counter("hanse_drift_corrected_total", "Drift corrected", ["cluster"])
PROBES = Counter("hanse_probes_total", "Probes of members", ["cluster", "outcome"])
LEASE_HELD = Gauge("hanse_lease_held", "Whether this process carries out a duty now", ["lease"])
LEASES_TAKEN = Counter("hanse_leases_taken_total", "How often this process took it over", ["lease"])
PASSED_OVER = Counter(
    "hanse_passed_over_total", "Objects of others that could not be taken in", ["task"]
)
DNS_QUERIES = Counter("hanse_dns_queries_total", "Packets of DNS received", ["transport"])
DNS_TRANSFERS = Counter("hanse_dns_transfers_total", "Zones asked for whole", ["outcome"])
DNS_STALE_SECONDS = Gauge(
    "hanse_dns_stale_seconds", "How long answers have been those of before NATS went away"
)
