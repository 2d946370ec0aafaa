"""For every alert, what makes it fire and what does not."""

from __future__ import annotations

from tests.dashboards.promtool import Case, Fires

TEAM = 'job="team",instance="a:9464"'
TEAM_B = 'job="team",instance="b:9464"'
COLLECTOR = 'job="otel-collector",instance="c:8888"'
OF_A = {"job": "team", "instance": "a:9464"}
OF_C = {"job": "otel-collector", "instance": "c:8888"}


def _runs(completed: str, failed: str, **more: str) -> dict[str, str]:
    ended = {"completed": completed, "failed": failed, **more}
    return {f'flex_run_status_total{{{TEAM},runtime="flex",status="{name}"}}': each for name, each in ended.items()}


def _burns(share: str, what: str, slo: str, *windows: str) -> list[Fires]:
    """Return what fires: for each long window its short one, its factor and its severity."""
    rows = {
        "1h": ("5m", "14.4", "critical"), "6h": ("30m", "6", "critical"),
        "1d": ("2h", "3", "warning"), "3d": ("6h", "1", "warning"),
    }  # fmt: skip
    return [
        Fires(
            {"job": "team", "runtime": "flex", "slo": slo, "long": long, "short": rows[long][0]},
            f"{share} {what} in {long}. With 95% as objective, the error budget of 30 days burns at {rows[long][1]} "
            "times its rate.",
            rows[long][2],
        )
        for long in windows
    ]


def _success(share: str, *windows: str) -> list[Fires]:
    return _burns(share, "of the runs of flex in team failed", "run_success", *windows)


ALL = ("1h", "6h", "1d", "3d")
FAILING = "Too many runs of flex fail"
ERRORS = f'yolo_errors_total{{{TEAM},agent="coder",severity="high"}}'
LOW_ERRORS = ERRORS.replace("high", "low")
OTHER_ERRORS = f'yolo_errors_total{{{TEAM},agent="reviewer",severity="low"}}'
TOKENS = f'yolo_context_tokens{{{TEAM},agent="coder"}}'
LOOPS = f'yolo_handoff_loops_total{{{TEAM},agent="coder"}}'
BLOCKS = f'yolo_safety_blocks_total{{{TEAM},agent="coder"}}'
RETRIES = f'flex_node_retries_total{{{TEAM},capability="search",runtime="flex"}}'
DONE = f'flex_node_duration_seconds_count{{{TEAM},capability="search",kind="tool",outcome="ok",runtime="flex"}}'
QUIET = f'flex_run_last_progress_age_seconds{{{TEAM},runtime="flex"}}'
STARTED = f'flex_run_transitions_total{{{TEAM},state="start",runtime="flex"}}'
UP = f"up{{{COLLECTOR}}}"
UP_A, UP_B = f"up{{{TEAM}}}", f"up{{{TEAM_B}}}"
ACTIVE = f'flex_run_active{{{TEAM},runtime="flex"}}'
SPANS = f'otelcol_receiver_accepted_spans_total{{{COLLECTOR},receiver="otlp",transport="grpc"}}'
RECORDS = f'otelcol_receiver_accepted_log_records_total{{{COLLECTOR},receiver="otlp",transport="grpc"}}'
PENDING = f'flex_hitl_pending{{{TEAM},runtime="flex"}}'
PENDING_B = f'flex_hitl_pending{{{TEAM_B},runtime="flex"}}'
OLDEST = f'flex_hitl_oldest_age_seconds{{{TEAM},runtime="flex"}}'
INVALID = f'flex_validation_errors_total{{{TEAM},scope="output",runtime="flex"}}'
POINTS = f'otel_agents_patch_points{{{TEAM},adapter="langgraph",state="%s"}}'
DROPPED = f'otel_agents_events_dropped_total{{{TEAM},subscriber="sse"}}'
GUARDED = f'otel_agents_guard_errors_total{{{TEAM},place="signals.spans.start"}}'
OVERFLOW = f'otel_agents_metrics_overflow_total{{{TEAM},instrument="flex.node.duration"}}'
SIZE = f'otelcol_exporter_queue_size{{{COLLECTOR},exporter="otlp_grpc",data_type="traces"}}'
UPTIME = f"otelcol_process_uptime_seconds_total{{{COLLECTOR}}}"
KNOWN = f'otelcol_loadbalancer_num_backends{{{COLLECTOR},resolver="dns"}}'
TOOK = f'otelcol_loadbalancer_backend_outcome_total{{{COLLECTOR},endpoint="10.0.0.1:4317",success="%s"}}'
TOO_EARLY = f"otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total{{{COLLECTOR}}}"
CAPACITY = f'otelcol_exporter_queue_capacity{{{COLLECTOR},exporter="otlp_grpc",data_type="traces"}}'
QUEUE = {**OF_C, "exporter": "otlp_grpc", "data_type": "traces"}


def _cancels(quick: str, slow: str) -> dict[str, str]:
    """Return a histogram of cancels: those within 5 s, and all, none of which took more than 10 s."""
    name, labels = "flex_run_cancel_latency_seconds", f'{TEAM},runtime="flex",source="operator"'
    return {
        f'{name}_bucket{{{labels},le="5.0"}}': quick,
        f'{name}_bucket{{{labels},le="10.0"}}': slow,
        f'{name}_bucket{{{labels},le="+Inf"}}': slow,
        f"{name}_count{{{labels}}}": slow,
    }


def _lost(name: str, signal: str, by: str) -> str:
    more = ',transport="grpc"' if by == "receiver" else ""
    return f'{name}_{signal}_total{{{COLLECTOR},{by}="otlp"{more}}}'


def _every_signal(alert: str, name: str, by: str, summary: str, says: str) -> list[Case]:
    """Return the cases of an alert that has a rule for each signal."""
    found = []
    for signal, what in (("spans", "spans"), ("metric_points", "metric points"), ("log_records", "log records")):
        fires = Fires({**OF_C, by: "otlp", "signal": signal}, says.format(what))
        born = {_lost(name, signal, by): "_x4 5x30"}
        found.append(Case(f"the first {what}", alert, born, "12m", [fires], summary.format(what)))
        found.append(Case(f"no more {what}", alert, {_lost(name, signal, by): "5x60"}, "40m"))
    return found


AGENTS = [
    Case(
        "12 errors a minute", "HighErrorRate", {ERRORS: "0+12x20"}, "10m",
        [Fires({**OF_A, "agent": "coder", "error_severity": "high"},
               "Agent coder of team makes 0.20 errors a second of severity high; the limit is 0.1.")],
        "High error rate in YOLO system",
    ),
    Case(
        "two severities at once are two alerts", "HighErrorRate", {ERRORS: "0+12x20", LOW_ERRORS: "0+24x20"}, "10m",
        [Fires({**OF_A, "agent": "coder", "error_severity": severity},
               f"Agent coder of team makes {rate} errors a second of severity {severity}; the limit is 0.1.")
         for severity, rate in (("high", "0.20"), ("low", "0.40"))],
        "High error rate in YOLO system",
    ),
    Case("5 errors a minute", "HighErrorRate", {ERRORS: "0+5x20"}, "20m"),
    Case("not for long", "HighErrorRate", {ERRORS: "0x10 12 24 36 36x20"}, "14m"),
    Case(
        "each has few errors, all have many", "HighErrorRateAllAgents", {ERRORS: "0+5x20", OTHER_ERRORS: "0+4x20"},
        "12m",
        [Fires({"job": "team"}, "The agents of team make 0.15 errors a second together; the limit is 0.1.")],
        "High error rate in YOLO system, all agents together",
    ),
    Case("few in all", "HighErrorRateAllAgents", {ERRORS: "0+3x20", OTHER_ERRORS: "0+2x20"}, "12m"),
    Case(
        "9500 tokens", "ContextOverflow", {TOKENS: "9500x5"}, "2m",
        [Fires({**OF_A, "agent": "coder"}, "The context of coder holds 9500 tokens; the limit is 9000.")],
        "Context tokens approaching limit for coder",
    ),
    Case("9000 tokens", "ContextOverflow", {TOKENS: "9000x5"}, "3m"),
    Case("not for a minute", "ContextOverflow", {TOKENS: "9500 100x5"}, "1m"),
    Case(
        "100 more each minute", "ContextOverflowPredicted", {TOKENS: "5000+100x30"}, "20m",
        [Fires({**OF_A, "agent": "coder"},
               "As it grew in the last 30 minutes, the context of coder will hold 10k tokens "
               "in 30 minutes; the limit is 9000.")],
        "The context of coder will overflow",
    ),
    Case("10 more each minute", "ContextOverflowPredicted", {TOKENS: "5000+10x30"}, "20m"),
    Case("grew once, small as yet", "ContextOverflowPredicted", {TOKENS: "100 100 4000x30"}, "8m"),
    Case(
        "three times since it began", "HandoffLoops", {LOOPS: "_x3 1 2 3x20"}, "8m",
        [Fires({"job": "team", "agent": "coder"},
               "3 times in 15 minutes work came back to coder of team without progress in between.")],
        "Work goes to and fro around coder",
    ),
    Case("twice", "HandoffLoops", {LOOPS: "_x3 1 2x20"}, "8m"),
    Case("long ago", "HandoffLoops", {LOOPS: "30x60"}, "40m"),
    Case(
        "the first one", "SafetyBlock", {BLOCKS: "_x3 1x20"}, "5m",
        [Fires({"job": "team", "agent": "coder"}, "1 decisions of coder of team were blocked in 15 minutes.")],
        "A safety limit blocked coder",
    ),
    Case("long ago", "SafetyBlock", {BLOCKS: "_x3 1x60"}, "40m"),
]  # fmt: skip
RUNS = [
    Case(
        "quiet for a quarter of an hour", "StuckRuns", {QUIET: "900+60x20"}, "7m",
        [Fires({**OF_A, "runtime": "flex"},
               "On a:9464 of team a run of flex has done nothing for 22m 0s.")],
        "A run of flex makes no progress",
    ),
    Case("works slowly", "StuckRuns", {QUIET: "800x20"}, "15m"),
    Case(
        "killed, and nobody scrapes it: it pushed", "RunsLostFromView", {ACTIVE: "2x4 stale"}, "8m",
        [Fires({**OF_A, "runtime": "flex"},
               "a:9464 of team reports no more; the last that it said was 2 active runs of flex.")],
        "a:9464 went away while runs were active",
    ),
    Case(
        "killed, and still to be scraped", "RunsLostFromView", {ACTIVE: "2x4 stale", UP_A: "1x4 0x20"}, "8m",
        [Fires({**OF_A, "runtime": "flex"},
               "a:9464 of team reports no more; the last that it said was 2 active runs of flex.")],
        "a:9464 went away while runs were active",
    ),
    Case("over between two scrapes, and to be scraped no more", "RunsLostFromView",
         {ACTIVE: "2x4 stale", UP_A: "1x4 stale"}, "8m"),
    Case("over, and found dead once before", "RunsLostFromView", {ACTIVE: "2x4 stale", UP_A: "1x4 0 stale"}, "8m"),
    Case(
        "another one of the same job is over", "RunsLostFromView",
        {ACTIVE: "2x4 stale", UP_A: "1x4 0x20", UP_B: "1x4 stale"}, "8m",
        [Fires({**OF_A, "runtime": "flex"},
               "a:9464 of team reports no more; the last that it said was 2 active runs of flex.")],
        "a:9464 went away while runs were active",
    ),
    Case("stopped when all was done", "RunsLostFromView", {ACTIVE: "2x3 0 stale"}, "8m"),
    Case("there", "RunsLostFromView", {ACTIVE: "2x20"}, "8m"),
    Case(
        "nothing arrives any more", "NoTelemetryWhileRunsActive",
        {STARTED: "0+1x40", DONE: "0+2x40", UP: "1x40", SPANS: "100x40", RECORDS: "100x40"}, "20m",
        [Fires({}, "Runs did 30 things in 10 minutes, and the Collector got neither a span nor a log record of them.")],
        "Runs are active, and nothing arrives at the Collector",
    ),
    Case(
        "nothing ever arrived", "NoTelemetryWhileRunsActive", {STARTED: "0+1x40", UP: "1x40"}, "20m",
        [Fires({}, "Runs did 10 things in 10 minutes, and the Collector got neither a span nor a log record of them.")],
        "Runs are active, and nothing arrives at the Collector",
    ),
    Case("records arrive", "NoTelemetryWhileRunsActive",
         {STARTED: "0+1x40", UP: "1x40", SPANS: "100x40", RECORDS: "100+1x40"}, "20m"),
    Case("a single run, all of it at once", "NoTelemetryWhileRunsActive",
         {STARTED: "0x9 1x20", UP: "1x30", SPANS: "_x9 45x20", RECORDS: "_x9 60x20"}, "18m"),
    Case("a run in one long node", "NoTelemetryWhileRunsActive",
         {ACTIVE: "0x9 1x40", STARTED: "0x9 1x40", UP: "1x50", SPANS: "100x50", RECORDS: "100x8 102x41"}, "40m"),
    Case("nothing runs", "NoTelemetryWhileRunsActive", {STARTED: "7x40", UP: "1x40", SPANS: "100x40"}, "20m"),
    Case("there is no Collector", "NoTelemetryWhileRunsActive", {STARTED: "0+1x40", DONE: "0+1x40"}, "20m"),
    Case(
        "one more each minute, seen by two processes", "HitlQueueGrowing", {PENDING: "0+1x60", PENDING_B: "0+1x60"},
        "50m",
        [Fires({"job": "team", "runtime": "flex"},
               "50 questions of flex in team wait for an answer, more than 30 minutes ago.")],
        "Questions to humans pile up",
    ),
    Case("many, but not more", "HitlQueueGrowing", {PENDING: "20x60"}, "50m"),
    Case("more, but few", "HitlQueueGrowing", {PENDING: "0x30 4x30"}, "50m"),
    Case(
        "all take longer", "CancelLatencyHigh", _cancels("0x80", "0+1x80"), "70m",
        [Fires({"job": "team", "runtime": "flex"},
               "Of 100 cancels of flex in team, 5 took longer than 9.75s in the last hour.")],
        "Cancels of flex take long",
    ),
    Case("all are quick", "CancelLatencyHigh", _cancels("0+1x80", "0+1x80"), "70m"),
    Case("two in an hour", "CancelLatencyHigh", _cancels("0x80", "0x30 1 2x50"), "70m"),
    Case(
        "more retries than executions", "RetryStorm", {RETRIES: "0+5x40", DONE: "0+2x40"}, "30m",
        [Fires({"job": "team", "runtime": "flex", "capability": "search"},
               "50 retries of search (flex, team) in 10 minutes, at least one for each execution.")],
        "search is tried again and again",
    ),
    Case(
        "a first execution that does not end", "RetryStorm", {RETRIES: "_ 1+5x40"}, "30m",
        [Fires({"job": "team", "runtime": "flex", "capability": "search"},
               "50 retries of search (flex, team) in 10 minutes, at least one for each execution.")],
        "search is tried again and again",
    ),
    Case("many executions, some tried again", "RetryStorm", {RETRIES: "0+5x40", DONE: "0+9x40"}, "30m"),
    Case("few retries", "RetryStorm", {RETRIES: "0+1x40", DONE: "0+1x40"}, "30m"),
    Case(
        "two a minute", "ValidationFailing", {INVALID: "0+2x40"}, "30m",
        [Fires({"job": "team", "runtime": "flex", "scope": "output"},
               "30 errors in output of flex in team in 15 minutes.")],
        "Validations of output fail",
    ),
    Case("five in all", "ValidationFailing", {INVALID: "0x3 5x40"}, "15m"),
]  # fmt: skip
OBJECTIVES = [
    Case("four of five fail", "RunSuccessBudgetBurn", _runs("0+1x90", "0+4x90"), "70m",
         _success("80%", *ALL), FAILING),
    Case("two of five fail", "RunSuccessBudgetBurn", _runs("0+3x90", "0+2x90"), "70m",
         _success("40%", "6h", "1d", "3d"), FAILING),
    Case("one of five fails", "RunSuccessBudgetBurn", _runs("0+4x90", "0+1x90"), "70m", _success("20%", "1d", "3d"),
         FAILING),
    Case("one of ten fails", "RunSuccessBudgetBurn", _runs("0+9x90", "0+1x90"), "70m", _success("10%", "3d"), FAILING),
    Case("one of fifty fails", "RunSuccessBudgetBurn", _runs("0+49x90", "0+1x90"), "70m"),
    Case("it was bad, and is over", "RunSuccessBudgetBurn", _runs("0+1x20 20+50x90", "0+4x20 80x90"), "105m"),
    Case("three runs, all fail", "RunSuccessBudgetBurn", _runs("0x90", "0x60 1 2 3x27"), "70m"),
    Case("pauses and cancels are neither", "RunSuccessBudgetBurn",
         _runs("0+97x90", "0+1x90", awaiting_hitl="0+900x90", cancelled="0+900x90"), "70m"),
    Case("pauses do not hide failures", "RunSuccessBudgetBurn",
         _runs("0+1x90", "0+4x90", awaiting_hitl="0+900x90", cancelled="0+900x90"), "70m",
         _success("80%", *ALL), FAILING),
    Case("a question waits for days", "HitlAnswerBudgetBurn", {OLDEST: "20000+60x130", PENDING: "1x130"}, "125m",
         _burns("100%", "of the time the oldest question of flex in team was late", "hitl_answer", "1d", "3d"),
         "Questions of flex wait too long"),
    Case("many questions wait for days", "HitlAnswerBudgetBurn", {OLDEST: "20000+60x130", PENDING: "6x130"}, "125m",
         _burns("100%", "of the time the oldest question of flex in team was late", "hitl_answer", *ALL),
         "Questions of flex wait too long"),
    Case("answered within an hour", "HitlAnswerBudgetBurn", {OLDEST: "0+60x60 0+60x60"}, "110m"),
    Case("nine of ten are rejected", "PlanRejectionBudgetBurn",
         {f'flex_planner_requests_total{{{TEAM},runtime="flex",phase="initial"}}': "0+10x90",
          f'flex_planner_rejections_total{{{TEAM},runtime="flex"}}': "0+9x90"}, "70m",
         _burns("90%", "of the plans of flex in team were rejected", "plan_acceptance", *ALL),
         "Too many plans of flex are rejected"),
    Case("one of fifty is rejected", "PlanRejectionBudgetBurn",
         {f'flex_planner_requests_total{{{TEAM},runtime="flex",phase="initial"}}': "0+50x90",
          f'flex_planner_rejections_total{{{TEAM},runtime="flex"}}': "0+1x90"}, "70m"),
]  # fmt: skip
OURSELVES = [
    Case(
        "two are missing", "PatchPointsMissing", {POINTS % "missing": "2x10", POINTS % "applied": "9x10"}, "6m",
        [Fires({"job": "team", "adapter": "langgraph"},
               "2 patch points of the adapter langgraph in team were not found: "
               "the version of the framework is one that we do not know.")],
        "Part of langgraph is not observed",
    ),
    Case("waiting is not missing", "PatchPointsMissing", {POINTS % "missing": "0x10", POINTS % "waiting": "9x10"},
         "6m"),
    Case(
        "the first", "EventsDropped", {DROPPED: "_x3 7x20"}, "6m",
        [Fires({**OF_A, "subscriber": "sse"},
               "7 events did not reach the subscriber sse on a:9464 of team in 15 minutes.")],
        "sse misses events",
    ),
    Case("none", "EventsDropped", {DROPPED: "0x20"}, "6m"),
    Case(
        "the first", "InstrumentationErrors", {GUARDED: "_x3 1x20"}, "6m",
        [Fires({"job": "team", "place": "signals.spans.start"},
               "1 errors of ours were swallowed at signals.spans.start in team in 15 minutes; the program "
               "itself was not "
               "harmed, but telemetry is missing.")],
        "The instrumentation of team fails at signals.spans.start",
    ),
    Case("long ago", "InstrumentationErrors", {GUARDED: "1x60"}, "40m"),
    Case(
        "more sets than there is room for", "LabelOverflow", {OVERFLOW: "_x3 2x20"}, "6m",
        [Fires({"job": "team", "instrument": "flex.node.duration"},
               "2 measurements of flex.node.duration in team went to `_other` or were dropped in 15 minutes.")],
        "flex.node.duration has too many label sets",
    ),
    Case("long ago", "LabelOverflow", {OVERFLOW: "2x60"}, "40m"),
    Case(
        "always", "Watchdog", {}, "0m",
        [Fires({}, "This alert always fires; when it stops, Prometheus or Alertmanager does not work.")],
        "Alerts can reach you",
    ),
]  # fmt: skip
COLLECTORS = [
    Case(
        "cannot be scraped", "CollectorDown", {f"up{{{COLLECTOR}}}": "0x10"}, "6m",
        [Fires(OF_C, "Prometheus cannot scrape c:8888 of otel-collector.")], "The Collector is down",
    ),
    Case(
        "is not there at all", "CollectorDown", {f"up{{{TEAM}}}": "1x10"}, "6m",
        [Fires({"job": "otel-collector"}, "Prometheus cannot scrape otel-collector.")], "The Collector is down",
    ),
    Case("is up", "CollectorDown", {f"up{{{COLLECTOR}}}": "1x10"}, "6m"),
    Case("is started again", "CollectorDown", {f"up{{{COLLECTOR}}}": "1 0 0 1x10"}, "6m"),
    Case(
        "killed", "CollectorRestarted", {UPTIME: "100+60x5 20+60x10"}, "7m",
        [Fires(OF_C, "c:8888 of otel-collector was started 1 times in 15 minutes; after a kill, what it held in "
                     "memory is lost.")],
        "The Collector was started again",
    ),
    Case("runs on", "CollectorRestarted", {UPTIME: "100+60x30"}, "20m"),
    Case(
        "two of three are left", "CollectorGatewayLost", {KNOWN: "3x5 2x20"}, "12m",
        [Fires(OF_C, "c:8888 of otel-collector knows 1 gateways fewer than within the last hour.")],
        "Gateways are gone",
    ),
    Case("one at a time is started again", "CollectorGatewayLost", {KNOWN: "3x5 2x3 3x3 2x3 3x5"}, "18m"),
    Case("more than before", "CollectorGatewayLost", {KNOWN: "2x5 3x20"}, "12m"),
    Case(
        "takes a quarter", "CollectorGatewayFailing", {TOOK % "false": "0+3x30", TOOK % "true": "0+1x30"}, "12m",
        [Fires({**OF_C, "endpoint": "10.0.0.1:4317"},
               "75% of the requests of c:8888 to the gateway 10.0.0.1:4317 failed.")],
        "The gateway 10.0.0.1:4317 does not take traces",
    ),
    Case("takes most", "CollectorGatewayFailing", {TOOK % "false": "0+1x30", TOOK % "true": "0+3x30"}, "12m"),
    Case("was away for a moment", "CollectorGatewayFailing",
         {TOOK % "false": "0x10 9x20", TOOK % "true": "0+1x10 10+1x20"}, "16m"),
    Case(
        "more than it has room for", "CollectorSamplerOverflow", {TOO_EARLY: "0x20 40x20"}, "22m",
        [Fires(OF_C, "The sampler on c:8888 dropped 40 traces in 15 minutes before the decision about them: more came "
                     "than it has room for.")],
        "The sampler drops traces before it decides",
    ),
    Case("none", "CollectorSamplerOverflow", {TOO_EARLY: "0x40"}, "30m"),
    Case("long ago", "CollectorSamplerOverflow", {TOO_EARLY: "40x60"}, "40m"),
    Case(
        "nearly full", "CollectorQueueFilling", {SIZE: "850x10", CAPACITY: "1000x10"}, "6m",
        [Fires(QUEUE,
               "The queue of otlp_grpc for traces on c:8888 is 85% full, and is full or will be within an hour.")],
        "The queue of otlp_grpc fills up",
    ),
    Case(
        "will be full", "CollectorQueueFilling", {SIZE: "400+10x30", CAPACITY: "1000x30"}, "20m",
        [Fires(QUEUE,
               "The queue of otlp_grpc for traces on c:8888 is 60% full, and is full or will be within an hour.")],
        "The queue of otlp_grpc fills up",
    ),
    Case("half full, and stays so", "CollectorQueueFilling", {SIZE: "500x30", CAPACITY: "1000x30"}, "20m"),
    *_every_signal(
        "CollectorRefused", "otelcol_receiver_refused", "receiver", "The Collector pushes {} back",
        "otlp on c:8888 refused 5 {} in 15 minutes; senders that do not try again lose them.",
    ),
    *_every_signal(
        "CollectorEnqueueFailed", "otelcol_exporter_enqueue_failed", "exporter", "The queue of otlp takes no more {}",
        "5 {} found no room in the queue of otlp on c:8888 in 15 minutes.",
    ),
    *_every_signal(
        "CollectorSendFailed", "otelcol_exporter_send_failed", "exporter", "otlp gave up {}",
        "otlp on c:8888 lost 5 {} in 15 minutes: the backend refused them, or all retries failed.",
    ),
]  # fmt: skip
CASES = [*AGENTS, *RUNS, *OBJECTIVES, *OURSELVES, *COLLECTORS]
