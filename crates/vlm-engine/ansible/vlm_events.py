"""Tells what ansible-playbook does: one JSON object per line on standard output, each with its `event`.

Ansible takes out what `no_log` hides before a result comes here; of the rest only short words of failures go on.
"""

import json

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: vlm_events
type: stdout
short_description: events as JSON lines
description: One JSON object per line for plays, tasks, results and final counts.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "vlm_events"

    def v2_playbook_on_play_start(self, play):
        self._say("play_start", play=play.get_name())

    def v2_playbook_on_task_start(self, task, is_conditional=False):
        self._say("task_start", task=task.get_name())

    v2_playbook_on_handler_task_start = v2_playbook_on_task_start

    def v2_runner_on_ok(self, result):
        changed = bool(result._result.get("changed"))
        self._say_result("changed" if changed else "ok", result, changed=changed)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        # A failure that the author ignores is none, but worth a word.
        self._say_result("ignored" if ignore_errors else "failed", result, message=words(result._result, cause(result)))

    def v2_runner_on_unreachable(self, result):
        self._say_result("unreachable", result, message=words(result._result, cause(result)))

    def v2_runner_on_skipped(self, result):
        self._say_result("skipped", result)

    def v2_playbook_on_stats(self, stats):
        for host in sorted(stats.processed):
            self._say("stats", host=host, **stats.summarize(host))

    def _say_result(self, event, result, **more):
        self._say(event, host=result._host.get_name(), task=result._task.get_name(), **more)

    def _say(self, event, **more):
        self._display.display(json.dumps({"event": event, **more}, default=str))


def cause(result):
    """The innermost reason of a failure; ansible-core keeps it beside the result since 2.19."""
    event, words = getattr(getattr(result, "exception", None), "event", None), ""
    while event is not None:
        words, event = str(event.msg), getattr(event.chain, "event", None)
    return words


def words(result, cause):
    """Why a task failed: the words of its first loop item or module that did, and the end of what the program said."""
    if "censored" in result:
        return "hidden, because the task says no_log"
    parts = [*(result.get("results") or []), *(result.get("failed_modules") or {}).values()]
    failed = [part for part in parts if isinstance(part, dict) and part.get("failed")]
    if failed:
        return words(failed[0], cause)
    said = str(result.get("stderr") or result.get("module_stderr") or "").strip().splitlines()[-3:]
    message = str(result.get("msg") or "").strip()
    if not said and cause.strip() not in message:
        said = [cause.strip()]
    return "\n".join([message, *said]).strip()[:1000]
