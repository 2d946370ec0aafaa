"""LangGraph: runs, tasks, tools, handoffs, pauses, policies and plans of its graphs; must not know signals.

Nothing of the framework is imported; its classes are looked up, where they are needed, among what the host imported.
"""

from __future__ import annotations

from typing import Final

from otel_agents.adapters.langgraph import attempts, models, runs, tasks, tools
from otel_agents.adapters.langgraph.frames import RUNTIME
from otel_agents.patching.table import Adapter, Patch
from otel_agents.semconv.kinds import NODE, RUN

PATCHES: Final = (
    Patch(
        "langgraph.pregel.main:Pregel.stream",
        RUN,
        "Every synchronous way to run a graph calls it: invoke, batch, stream, stream_events.",
        before=runs.before_stream,
        started=runs.started,
        after=runs.after_stream,
        failed=runs.failed_stream,
    ),
    Patch(
        "langgraph.pregel.main:Pregel.astream",
        RUN,
        "Every asynchronous way to run a graph calls it: ainvoke, abatch, astream, astream_events.",
        before=runs.before_stream,
        started=runs.started,
        after=runs.after_stream,
        failed=runs.failed_stream,
    ),
    Patch(
        "langgraph.pregel._runner:run_with_retry",
        NODE,
        "One call is one task with all its attempts; patched where the runner looks it up.",
        before=tasks.before_task,
        started=tasks.started,
        after=tasks.after_task,
        failed=tasks.failed_task,
    ),
    Patch(
        "langgraph.pregel._runner:arun_with_retry",
        NODE,
        "The same for asynchronous runs.",
        before=tasks.before_task,
        started=tasks.started,
        after=tasks.after_task,
        failed=tasks.failed_task,
    ),
    Patch(
        "langgraph.pregel._retry:_should_retry_on",
        why="Asked once for each attempt that failed, and only then: the only place where attempts can be told apart.",
        after=attempts.after_retry_question,
    ),
    Patch(
        "langgraph.pregel._loop:should_interrupt",
        why="Finds breakpoints; called only when some are set. The pause itself leaves no trace in any task.",
        after=runs.after_breakpoint,
    ),
    Patch(
        "langchain_core.tools.base:BaseTool.run",
        NODE,
        "Every tool ends here, whether a model or a node calls it; shows what it raised before that became a message.",
        before=tools.before_tool,
        started=tools.started,
        after=tools.after_tool,
        failed=tools.failed_tool,
    ),
    Patch(
        "langchain_core.tools.base:BaseTool.arun",
        NODE,
        "The same for asynchronous tools.",
        before=tools.before_tool,
        started=tools.started,
        after=tools.after_tool,
        failed=tools.failed_tool,
    ),
    Patch(
        "langchain_core.callbacks.manager:CallbackManagerForLLMRun.on_llm_end",
        why="Called once for each model call that ended well, streamed or not, inside the task that made it.",
        before=models.before_model_end,
    ),
    Patch(
        "langchain_core.callbacks.manager:AsyncCallbackManagerForLLMRun.on_llm_end",
        why="The same for asynchronous model calls.",
        before=models.before_model_end,
    ),
    Patch(
        "langchain.agents.factory:_handle_structured_output_error",
        why="Decides whether a model is asked again after an invalid output; nothing else tells of it.",
        after=models.after_invalid_output,
    ),
)

ADAPTER: Final = Adapter(
    name="langgraph",
    runtime=RUNTIME,
    distribution="langgraph",
    tested=("1.0.2", "1.2"),
    patches=PATCHES,
)
