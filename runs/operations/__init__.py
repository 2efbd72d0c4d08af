"""The verbs of the API: one function each, used by the API, the console and the admin alike.

All are sync, open their own transaction, and raise ``runs.contract.errors.ApiError``.
``fields`` is a validated request body: names as on the wire, null the same as not given.
"""

from runs.operations.access import (
    create_key,
    create_project,
    find_key,
    make_login_link,
    needs_login_link,
    revoke_key,
    set_environment_key,
    use_login_link,
)
from runs.operations.assistants import (
    Outdated,
    create_assistant,
    delete_assistant,
    update_assistant,
)
from runs.operations.batches import work_on_cleanup, work_on_cleanup_in_background
from runs.operations.cleanup import (
    begin_cleanup,
    dry_run_cleanup,
    plan_cleanup,
    replan_cleanup,
    stop_cleanup,
)
from runs.operations.compaction import compact_run
from runs.operations.export import export_thread
from runs.operations.idempotency import Answer, Call, forget_expired_keys, once
from runs.operations.interventions import expire_run, kick_run
from runs.operations.members import (
    add_member,
    invite,
    projects_of,
    remove_member,
    role_in,
    set_role,
)
from runs.operations.output_schemas import remove_output_schema, set_output_schema
from runs.operations.prices import add_prices, remove_price
from runs.operations.reruns import rerun
from runs.operations.runs import (
    Submission,
    cancel_run,
    create_run,
    create_thread_and_run,
    submit_tool_outputs,
    update_run,
)
from runs.operations.threads import (
    add_message,
    create_thread,
    delete_message,
    delete_thread,
    update_message,
    update_thread,
)
from runs.operations.views import delete_view, rename_view, save_view

__all__ = [
    "Answer",
    "Call",
    "Outdated",
    "Submission",
    "add_member",
    "add_message",
    "add_prices",
    "begin_cleanup",
    "cancel_run",
    "compact_run",
    "create_assistant",
    "create_key",
    "create_project",
    "create_run",
    "create_thread",
    "create_thread_and_run",
    "delete_assistant",
    "delete_message",
    "delete_thread",
    "delete_view",
    "dry_run_cleanup",
    "expire_run",
    "export_thread",
    "find_key",
    "forget_expired_keys",
    "invite",
    "kick_run",
    "make_login_link",
    "needs_login_link",
    "once",
    "plan_cleanup",
    "projects_of",
    "remove_member",
    "remove_output_schema",
    "remove_price",
    "rename_view",
    "replan_cleanup",
    "rerun",
    "revoke_key",
    "role_in",
    "save_view",
    "set_environment_key",
    "set_output_schema",
    "set_role",
    "stop_cleanup",
    "submit_tool_outputs",
    "update_assistant",
    "update_message",
    "update_run",
    "update_thread",
    "use_login_link",
    "work_on_cleanup",
    "work_on_cleanup_in_background",
]
