"""What was reported last, by service and member, and what comes of it."""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.exports import HubExport
from services.traffic.core.folding import Folded, Place, fold
from shared.api.multicluster import export_key
from shared.apimachinery.manifest import metadata_of, part_of
from shared.events import subjects
from shared.events.exports import ServiceReport, SliceReport
from shared.store.port import Mirror


class ExportTable:
    """What was reported last, by service and member."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self.reports: dict[ServiceName, dict[str, ServiceReport]] = {}
        """With their slices, which come one by one."""
        self._slices: dict[ServiceName, dict[str, dict[str, SliceReport]]] = {}
        self.namespaces: dict[str, frozenset[str]] = {}
        """By member, of those that imports may live in; a member that said nothing is not there."""
        self.names: dict[str, str] = {}
        """Whether each member's DNS asks others for names of other members."""
        self.reach: dict[str, Mapping[str, str]] = {}
        """By members that try: why endpoints of each other one cannot be reached from there."""
        self.fleet: dict[str, Place] = {}
        self._folded: dict[ServiceName, Folded] = {}
        self._touched: set[ServiceName] = set()
        self.unread: dict[ServiceName, dict[str, str]] = {}
        """Why something that was said of a service last, by cluster, could not be taken in.

        The cluster is empty where it is not known whose word it was. Whoever tells of it forgets.
        """

    def fold(self, name: ServiceName) -> Folded:
        """What the fleet has of it; made once for all who ask until something is touched."""
        before = self._folded.get(name)
        if before is not None and name not in self._touched:
            return before
        found = fold(name, self.reports.get(name, {}), self.hub_export(name), self.fleet, before)
        self._touched.discard(name)
        if found.service is not None:
            self._folded[name] = found
        else:
            self._folded.pop(name, None)
        return found

    def touch(self, name: ServiceName) -> None:
        """Something that *name* rests on is another now."""
        self._touched.add(name)

    def take(self, name: ServiceName, cluster: str, report: ServiceReport) -> None:
        """Take in what *cluster* says of the service, but for its slices."""
        slices = self._slices.get(name, {}).get(cluster, {})
        self.reports.setdefault(name, {})[cluster] = _with_slices(report, slices.values())

    def take_slice(self, name: ServiceName, cluster: str, slice_: SliceReport) -> bool:
        """Whether that is news of a service that is known."""
        self._slices.setdefault(name, {}).setdefault(cluster, {})[slice_.name] = slice_
        report = self.reports.get(name, {}).get(cluster)
        if report is not None:
            self.reports[name][cluster] = _with_slices(report, (slice_,))
        return report is not None

    def drop(self, name: ServiceName, cluster: str) -> bool:
        """*cluster* has nothing to say of it any more; whether it had."""
        reports = self.reports.get(name, {})
        known = reports.pop(cluster, None) is not None
        if known and not reports:
            del self.reports[name]
        return known

    def drop_slice(self, name: ServiceName, cluster: str, slice_: str) -> bool:
        """Whether a service that is known is without it now."""
        by_cluster = self._slices.get(name, {})
        slices = by_cluster.get(cluster, {})
        if slices.pop(slice_, None) is None:
            return False
        if not slices:
            del by_cluster[cluster]
        if not by_cluster:
            del self._slices[name]
        report = self.reports.get(name, {}).get(cluster)
        if report is not None:
            left = tuple(one for one in report.slices if one.name != slice_)
            self.reports[name][cluster] = msgspec.structs.replace(report, slices=left)
        return report is not None

    def subjects_of(self, cluster: str) -> list[str]:
        """Of all that *cluster* reports, the services before their slices."""
        found = [subjects.endpoints(cluster, *name) for name in self.services_of(cluster)]
        if cluster in self.namespaces:
            found.append(subjects.namespaces(cluster))
        return found + [
            subjects.slice_endpoints(cluster, *name, slice_)
            for name, by_cluster in self._slices.items()
            for slice_ in by_cluster.get(cluster, ())
        ]

    def forget_beside(self, shown: Collection[str]) -> set[ServiceName]:
        """Drop what lies in none of the subjects *shown*; returns the services concerned."""
        concerned = set()
        for cluster in self.reporters:
            for subject in self.subjects_of(cluster):
                place, slice_ = subjects.parse_endpoints(subject)[1:]
                if subject in shown or place is None:
                    continue
                name = ServiceName(*place)
                gone = (
                    self.drop_slice(name, cluster, slice_) if slice_ else self.drop(name, cluster)
                )
                if gone:
                    concerned.add(name)
        return concerned

    def hub_export(self, name: ServiceName) -> HubExport | None:
        stored = self._mirror.get(export_key(*name))
        if stored is None or metadata_of(stored.manifest).get("deletionTimestamp"):
            return None
        spec = part_of(stored.manifest, "spec")
        return HubExport(
            since=str(metadata_of(stored.manifest).get("creationTimestamp") or ""),
            labels=_texts(spec, "exportedLabels"),
            annotations=_texts(spec, "exportedAnnotations"),
        )

    def members_with(self, namespace: str) -> set[str]:
        """Members that have *namespace*, as they said, and are not about to leave."""
        found = {one for one, names in self.namespaces.items() if namespace in names}
        return {one for one in found if one in self.fleet and not self.fleet[one].leaving}

    def undecided(self) -> set[str]:
        """Members of which it is not known which namespaces they have."""
        return self.fleet.keys() - self.namespaces.keys()

    def services_api(self, cluster: str) -> str:
        """In which version its exports and imports are written."""
        return self.fleet.get(cluster, Place()).services_api

    def services_of(self, cluster: str) -> list[ServiceName]:
        return [name for name, reports in self.reports.items() if cluster in reports]

    @property
    def reporters(self) -> set[str]:
        """Every cluster that something is reported of, members or not."""
        found = set(self.namespaces)
        for reports in self.reports.values():
            found |= reports.keys()
        for slices in self._slices.values():
            found |= slices.keys()
        return found


def _with_slices(report: ServiceReport, slices: Iterable[SliceReport]) -> ServiceReport:
    """The report with *slices* in place of those of their names."""
    # A worker of an older version has told of all of them at once.
    every = {one.name: one for one in (*report.slices, *slices)}
    ordered = tuple(every[name] for name in sorted(every))
    return msgspec.structs.replace(report, slices=ordered)


def _texts(spec: Mapping[str, object], field: str) -> dict[str, str]:
    found = spec.get(field)
    return {str(name): str(text) for name, text in found.items()} if isinstance(found, dict) else {}
