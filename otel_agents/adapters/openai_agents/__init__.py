"""OpenAI Agents SDK: runs, agents, turns, tools, handoffs, guardrails and approvals; must not know signals.

Nothing of the SDK is imported, and nothing depends on its tracing: that may be on, off, or somebody else's.
"""

from __future__ import annotations

from typing import Final

from otel_agents.adapters.openai_agents import guardrails, models, runs, spans, tools
from otel_agents.adapters.openai_agents.frames import RUNTIME
from otel_agents.patching.table import Adapter, Patch
from otel_agents.semconv.kinds import NODE, POLICY, RUN

PATCHES: Final = (
    Patch(
        "agents.run:AgentRunner.run",
        RUN,
        "Runner.run and Runner.run_sync end here, and so does an agent that is a tool.",
        before=runs.before_run,
        started=runs.started,
        after=runs.after_run,
        failed=runs.failed_run,
    ),
    Patch(
        "agents.run:start_streaming",
        RUN,
        "The whole work of Runner.run_streamed, in the task that does it; it goes on when the consumer leaves.",
        before=runs.before_stream,
        started=runs.started,
        after=runs.after_stream,
        failed=runs.failed_run,
    ),
    Patch(
        "agents.result:RunResultStreaming.cancel",
        why="Called by whoever wants a streamed run to stop, at once or after the turn.",
        before=runs.before_cancel,
    ),
    Patch(
        "agents.tracing.spans:SpanImpl.start",
        why="Agents begin with a span of the SDK, in the task that does their work; no function is all of it.",
        only=spans.begins,
        after=spans.after_start,
    ),
    Patch(
        "agents.tracing.spans:SpanImpl.finish",
        why="Agents end with it, and a handoff's target is known only then.",
        only=spans.ends,
        before=spans.before_finish,
    ),
    Patch(
        "agents.tracing.spans:NoOpSpan.start",
        why="The same spans while the SDK's tracing is switched off.",
        only=spans.begins,
        after=spans.after_start,
    ),
    Patch(
        "agents.tracing.spans:NoOpSpan.finish",
        why="The same spans while the SDK's tracing is switched off.",
        only=spans.ends,
        before=spans.before_finish,
    ),
    Patch(
        "agents.run_internal.run_steps:NextStepInterruption.__init__",
        why="Made when a turn ends with questions to a human, before the agent's span ends.",
        before=spans.before_interruption,
    ),
    Patch(
        "agents.run_internal.run_loop:get_response_with_retry",
        NODE,
        "One call is one turn's question to the model, with all its tries; patched where the loop looks it up.",
        before=models.before_model,
        started=models.started,
        after=models.after_model,
        failed=models.failed_model,
    ),
    Patch(
        "agents.run_internal.run_loop:stream_response_with_retry",
        NODE,
        "The same for streamed runs; its last event says what the model used.",
        before=models.before_model,
        started=models.started,
        item=models.each_event,
        after=models.after_stream,
        failed=models.failed_model,
    ),
    Patch(
        "agents.run_internal.model_retry:_evaluate_retry",
        why="Asked once for each try that failed, and only then: the only place where tries can be told apart.",
        after=models.after_retry_question,
    ),
    Patch(
        "agents.agent_output:AgentOutputSchema.validate_json",
        why="Judges the final answer of an agent that has an output type.",
        failed=models.failed_validation,
    ),
    Patch(
        "agents.run_internal.turn_resolution:execute_handoffs",
        why="What a model wrote for the next agent is refused inside, and no tool is called there.",
        failed=models.failed_handoff,
    ),
    Patch(
        "agents.run_internal.tool_execution:_FunctionToolBatchExecutor._invoke_tool_and_run_post_invoke",
        NODE,
        "A function tool runs, past approvals and guardrails of its input; guardrails of its output are a part of it.",
        before=tools.before_function,
        started=tools.started,
        after=tools.after_tool,
    ),
    Patch(
        "agents.tool:maybe_invoke_function_tool_failure_error_function",
        why="Turns what a tool raised into a message for the model; nothing else shows that the tool failed.",
        after=tools.after_failure,
    ),
    Patch(
        "agents.run_internal.tool_execution:maybe_invoke_function_tool_failure_error_function",
        why="The same for a tool that was cancelled by itself; patched where the SDK looks it up then.",
        after=tools.after_failure,
    ),
    Patch(
        "agents.mcp.server:_MCPServerWithClientSession.call_tool",
        why="An MCP server says in its answer that a call failed; nothing is raised.",
        after=tools.after_mcp,
    ),
    Patch(
        "agents.mcp.server:MCPServerStreamableHttp.call_tool",
        why="The same for the one kind of server that calls tools in its own way.",
        after=tools.after_mcp,
    ),
    Patch(
        "agents.exceptions:ToolTimeoutError.__init__",
        why="A tool that takes too long is told to the model in a message; this is not always raised.",
        after=tools.after_timeout,
    ),
    Patch(
        "agents.run_internal.tool_actions:with_tool_function_span",
        NODE,
        "What the SDK runs itself ends here, traced or not: computer, shell, patches, custom tools.",
        before=tools.before_native,
        started=tools.started,
        after=tools.after_native,
    ),
    Patch(
        "agents.run_internal.tool_actions:LocalShellAction.execute",
        NODE,
        "The one tool of the SDK's own that does not end there.",
        before=tools.before_local_shell,
        started=tools.started,
        after=tools.after_native,
    ),
    Patch(
        "agents.run_internal.tool_actions:resolve_approval_status",
        why="Says whether such a tool may run, may not, or has to wait for a human.",
        after=tools.after_approval,
    ),
    Patch(
        "agents.guardrail:InputGuardrail.run",
        POLICY,
        "A guardrail looks at what an agent was given.",
        before=guardrails.before("input"),
        after=guardrails.after_agent_guardrail,
    ),
    Patch(
        "agents.guardrail:OutputGuardrail.run",
        POLICY,
        "A guardrail looks at what an agent answers.",
        before=guardrails.before("output"),
        after=guardrails.after_agent_guardrail,
    ),
    Patch(
        "agents.tool_guardrails:ToolInputGuardrail.run",
        POLICY,
        "A guardrail looks at what a tool is given, before it runs.",
        before=guardrails.before("tool_input"),
        after=guardrails.after_tool_guardrail,
    ),
    Patch(
        "agents.tool_guardrails:ToolOutputGuardrail.run",
        POLICY,
        "A guardrail looks at what a tool returned.",
        before=guardrails.before("tool_output"),
        after=guardrails.after_tool_guardrail,
    ),
)

ADAPTER: Final = Adapter(
    name="openai_agents",
    runtime=RUNTIME,
    distribution="openai-agents",
    tested=("0.14.0", "0.24"),
    patches=PATCHES,
    known_by="agents.agent_output",  # many a program calls a package of its own `agents`
)
