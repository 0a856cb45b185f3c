"""What every scenario is given: the sites, the tree, how often and how long to measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving import web
from benchmarks.serving.figures import GENERATED, NGINX, TUTORIAL, Results
from benchmarks.serving.images import Workshop
from benchmarks.serving.load import Driver, Load
from benchmarks.serving.stage import Site, Stage, Variant
from benchmarks.serving.tree import Tree
from spinstack.errors import SpinstackError

# Those that have an application.
STACKS = (TUTORIAL, GENERATED)
ALL = (TUTORIAL, GENERATED, NGINX)


@dataclass(frozen=True)
class Effort:
    """How much is measured. `rounds` of throughput and of busy workers, `fault_rounds` of
    what else goes wrong;
    `seconds` of each cell; `connections` of the tables; `idle` and `half_sent`: connections
    that are held; `quick`: a smoke run, whose figures say nothing."""

    rounds: int = 5
    fault_rounds: int = 3
    seconds: int = 1
    connections: tuple[int, ...] = (1, 16, 128, 512)
    idle: int = 500
    half_sent: int = 2500
    nights: int = 200
    exposures: int = 20
    quick: bool = False

    def probed(self, seconds: float) -> float:
        """For how long probes are sent."""
        return min(seconds, 2.0) if self.quick else seconds


QUICK = Effort(1, 1, 1, (16,), 50, 200, 4, 3, True)


@dataclass
class Bench:
    """One run."""

    stage: Stage
    driver: Driver
    shop: Workshop
    tree: Tree
    variants: dict[str, Variant]
    effort: Effort
    say: Callable[[str], None]
    results: Results = field(default_factory=Results)
    sites: dict[str, Site] = field(default_factory=dict)

    def up(self, names: Sequence[str], *, alone: bool = False) -> dict[str, Site]:
        """These sites, started if need be and answering; `alone`: no other one runs."""
        for name in list(self.sites):
            if alone and name not in names:
                self.down(name)
        for name in names:
            if name not in self.sites:
                self.sites[name] = self.stage.start(self.variants[name])
                self.wait(self.sites[name])
        return {name: self.sites[name] for name in names}

    def down(self, name: str) -> None:
        self.stage.stop(self.sites.pop(name))

    def wait(self, site: Site) -> None:
        """Until the site serves a static page, and a dynamic one if it has an application."""
        paths = [self.tree.paths["2 kB"]]
        paths += [self.tree.hot] if "app" in site.containers else []
        try:
            for path in paths:
                web.wait_for(site.address, path, lambda: self.stage.ended(site))
        except SpinstackError as error:
            error.details = self.stage.logs(site)
            raise

    def load(
        self,
        site: Site,
        paths: Path | str,
        connections: int,
        *,
        seconds: float = 0,
        headers: Mapping[str, str] | None = None,
    ) -> Load:
        """Load on a site, for the time of a cell unless told otherwise.

        Afterwards a page is awaited: a server goes on with requests that have piled up even
        if nobody waits for them any more, and that must not slow down the next one.
        """
        spent = seconds or self.effort.seconds
        load = self.driver.run(site.address, paths, connections, spent, headers)
        web.fetch(site.address, self.tree.paths["2 kB"])
        return load

    def in_turn(self, number: int, names: Sequence[str]) -> list[str]:
        """The names for a round: A B C, then C B A, and so on."""
        return list(names) if number % 2 == 0 else list(reversed(names))
