"""
Waits for a run on a cluster, and ends what must not go on.

botocore's waiters stop after 30 minutes with the same error as a failed step; exports run for hours, so this is our
own loop: two reads per look, pauses that grow to half a minute, and a deadline for everything.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Callable

from dynamodb_pipeline.emr.calls.clock import Attention, Clock
from dynamodb_pipeline.emr.calls.clusters import ClusterView, StepView, read_cluster, read_steps
from dynamodb_pipeline.emr.calls.stopping import await_end, cancel_steps, terminate_cluster
from dynamodb_pipeline.emr.request.launch_settings import RunLimits
from dynamodb_pipeline.emr.watch.look import (
    STOPPING,
    Look,
    WaitVerdict,
    WatchLine,
    cancelling_line,
    detached_line,
    left_line,
    overdue_steps,
    title_of,
    verdict,
    watch_line,
)
from dynamodb_pipeline.emr.watch.run_records import LiveTables
from dynamodb_pipeline.errors import PipelineError
from dynamodb_pipeline.settings.run_commands import run_command

if TYPE_CHECKING:
    from mypy_boto3_emr import EMRClient

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 30.0
PAUSE_GROWTH = 1.4
SECOND_CTRL_C_S = 10.0


@dataclass(frozen=True)
class RunTarget:
    """
    What is waited for.

    Attributes:
        run: what the user calls it in `wait RUN` and `cancel RUN`.
        ours: the launcher made the cluster and may end it.
        step_ids: our steps of a standing cluster; None means every step of the cluster.
    """

    cluster_id: str
    run: str
    region: str
    ours: bool
    step_ids: tuple[str, ...] | None = None

    def command(self, verb: str) -> str:
        """A command about this run, to be pasted anywhere."""
        return run_command(verb, self.run, region=self.region, cluster_id=None if self.ours else self.cluster_id)


class Ending(Enum):
    """Why the wait is over."""

    FINISHED = "finished"
    CLUSTER_LOST = "cluster lost"
    NOT_PROVISIONED = "not provisioned in time"
    TIMED_OUT = "timed out"
    DETACHED = "detached"
    STOPPED_BY_USER = "stopped by the user"


@dataclass(frozen=True)
class Outcome:
    """How the wait ended, with the cluster and our steps as last seen."""

    ending: Ending
    cluster: ClusterView
    steps: tuple[StepView, ...]
    timed_out_ids: tuple[str, ...] = ()


@dataclass
class RunWatch:
    """
    One wait. `say` takes progress lines; `attention` tells of Ctrl-C and SIGTERM.

    Attributes:
        live: draws the run's tables at each look; None for a line at each change.
        each_change: say a line at each change beside it, too.
    """

    emr: EMRClient
    target: RunTarget
    limits: RunLimits
    clock: Clock
    attention: Attention
    say: Callable[[str], None]
    jitter: Callable[[], float] = random.random
    live: LiveTables | None = None
    each_change: bool = False

    def __post_init__(self) -> None:
        self._began_s = self.clock.now()
        self._printed: WatchLine | None = None
        self._last: Look | None = None
        self._timed_out: tuple[str, ...] = ()

    def wait(self) -> Outcome:
        """
        Return when the run has ended, was detached from or had to be ended.

        Raises:
            PipelineError: contact or permission lost; the message ends with the cluster's fate.
        """
        try:
            return self._wait()
        except PipelineError as err:
            raise type(err).of_lines([*err.lines, self._left()]) from err

    def _wait(self) -> Outcome:
        pause_s = FIRST_PAUSE_S
        while True:
            look = self.look()
            self._print(look)
            if self.attention.interrupts or self.attention.terminated:
                return self._interrupted(look)
            outcome = self._act(verdict(look, limits=self.limits, began_s=self._began_s), look)
            if outcome is not None:
                return outcome
            self.clock.sleep(pause_s * (0.8 + 0.4 * self.jitter()))
            pause_s = min(LONGEST_PAUSE_S, pause_s * PAUSE_GROWTH)

    def look(self) -> Look:
        """Ask EMR once for the cluster and its steps."""
        cluster = read_cluster(self.emr, self.target.cluster_id, clock=self.clock)
        steps = read_steps(self.emr, self.target.cluster_id, clock=self.clock)
        wanted = self.target.step_ids
        ours = tuple(step for step in steps if wanted is None or step.id in wanted)
        self._last = Look(cluster=cluster, steps=ours, at_s=self.clock.now())
        return self._last

    def _print(self, look: Look) -> None:
        if self.live is not None:
            self.live.show(look.steps, title=title_of(look), at_s=look.at_s, since_s=self._since_s(look))
            if not self.each_change:
                return
        line = watch_line(look, began_s=self._began_s)
        if line.worth_printing(self._printed):
            self.say(line.text)
            self._printed = line

    def _since_s(self, look: Look) -> float:
        """When what is paid for began: our cluster, on a standing one the first of our steps."""
        ours = [look.cluster.created] if self.target.ours else [step.started for step in look.steps]
        return min((moment.timestamp() for moment in ours if moment), default=self._began_s)

    def _act(self, judged: WaitVerdict, look: Look) -> Outcome | None:
        if judged is WaitVerdict.GO_ON:
            return None
        if judged is WaitVerdict.STEP_OVERDUE:
            return self._cancel_overdue(look)
        if judged is WaitVerdict.NOT_PROVISIONED:
            return self._outcome(Ending.NOT_PROVISIONED, look, cluster=self._end(look))
        cluster = look.cluster if judged is WaitVerdict.CLUSTER_LOST else self._await_end(look)
        return self._outcome(self._ending(judged, look), look, cluster=cluster)

    def _ending(self, judged: WaitVerdict, look: Look) -> Ending:
        if self._timed_out:
            return Ending.TIMED_OUT
        never_started = all(step.started is None for step in look.steps)
        return Ending.CLUSTER_LOST if judged is WaitVerdict.CLUSTER_LOST or never_started else Ending.FINISHED

    def _cancel_overdue(self, look: Look) -> Outcome | None:
        overdue = tuple(step.id for step in overdue_steps(look, limits=self.limits))
        self._timed_out += overdue
        self.say(cancelling_line(overdue))
        steps = cancel_steps(self.emr, self.target.cluster_id, overdue, clock=self.clock)
        if all(step.final for step in steps) and len(look.unfinished) > len(overdue):
            return None  # other tables of this run get their own time
        seen = self.look()
        cluster = self._end(seen)
        return self._outcome(Ending.TIMED_OUT, self.look() if self.target.ours else seen, cluster=cluster)

    def _interrupted(self, look: Look) -> Outcome:
        self.say(detached_line(look.cluster.id, second_ctrl_c_s=SECOND_CTRL_C_S))
        self.say(f"attach: {self.target.command('wait')}")
        if not self.target.ours:  # of a cluster of ours the last line says how to end it
            self.say(f"stop: {self.target.command('cancel')}")
        if not self.attention.terminated:
            self.clock.sleep(SECOND_CTRL_C_S)
        if self.attention.interrupts < 2:
            return self._outcome(Ending.DETACHED, look)
        self.say(STOPPING)
        if not self.target.ours and look.unfinished:
            ids = tuple(step.id for step in look.unfinished)
            cancel_steps(self.emr, self.target.cluster_id, ids, clock=self.clock)
        return self._outcome(Ending.STOPPED_BY_USER, look, cluster=self._end(look))

    def _end(self, look: Look) -> ClusterView:
        if not self.target.ours:
            return look.cluster
        return terminate_cluster(self.emr, self.target.cluster_id, clock=self.clock)

    def _await_end(self, look: Look) -> ClusterView:
        if not self.target.ours or not look.cluster.ends_by_itself:
            return look.cluster
        if self.live is not None and not look.cluster.ended:
            ending = f"cluster {look.cluster.id} is to end"
            self.live.show(look.steps, title=ending, at_s=look.at_s, since_s=self._since_s(look))
        return await_end(self.emr, self.target.cluster_id, clock=self.clock)

    def _outcome(self, ending: Ending, look: Look, *, cluster: ClusterView | None = None) -> Outcome:
        return Outcome(ending=ending, cluster=cluster or look.cluster, steps=look.steps, timed_out_ids=self._timed_out)

    def _left(self) -> str:
        target = self.target
        return left_line(target.cluster_id, last=self._last, attach=target.command("wait"), standing=not target.ours)
