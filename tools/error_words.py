"""What each error code means and what to do about it, for docs/reference/errors.md."""

ERROR_WORDS = {
    "address_in_use": "Another program listens there. Choose another `--port`; 0 takes a free one.",
    "backup_damaged": "A file of a backup is not what was written. Use another copy of it.",
    "backup_not_found": "The directory holds no complete backup. `weir backup` makes one.",
    "batch_too_large": "More events in one request than the route takes. Send them in parts.",
    "catalog_unavailable": "The catalog cannot be used: its disk refuses, or another program holds "
    "`catalog.db`. The loader starts again until it can.",
    "certificate_untrusted": "The node's certificate is of an authority that is not known here. "
    "Give it with `--cacert` or `WEIR_CACERT`.",
    "changed": "Lake files were replaced while they were merged. Nothing to do: it is tried again.",
    "conflict": "The thing exists already, is in use, or was changed meanwhile. Look, then repeat.",
    "control_unavailable": "The control database cannot be used. Look at the disk.",
    "corrupt": "Stored bytes are not what was written. They are kept aside and never served.",
    "database_damaged": "`catalog.db` or `control.db` is not what was written. A node does not "
    "start with it: restore the directory from a backup.",
    "database_missing": "The directory holds events, and `catalog.db` or `control.db` is gone. A "
    "node that made it anew would lose them: restore the directory from a backup.",
    "dead_letter_not_found": "`weir dead-letters list` shows those that there are.",
    "directory_not_empty": "The directory holds something else, and nothing is overwritten. Name "
    "a new one.",
    "disk_full": "Free disk fell below `disk_reserve_bytes`. Make room; events are taken again by "
    "themselves.",
    "endpoint_not_found": "The project of the key has no such endpoint. `weir projects list` shows "
    "those that there are.",
    "event_not_found": "No event with this id is known in the project of the key.",
    "events_damaged": "A file of the lake is not what was written; the log names it. Restore it "
    "from a backup: queries are answered again by themselves.",
    "expectation_failed": "`Expect` may only be `100-continue`.",
    "tls_files": "The certificate or key file cannot be used. Both are PEM, and belong together.",
    "fenced": "Another loader took over this directory; this one ends.",
    "file_access": "The system refuses a file or a directory; the message names it and says why, "
    "or whose it is. Run the command as that user, or mend the permissions.",
    "first_run_unreadable": "`first-run.json` is not what a first run wrote. Move it away and "
    "start again.",
    "forbidden": "The key is known and may not do this: it lacks the scope, or this address or "
    "origin is not on its list.",
    "forbidden_query": "The statement uses something that queries may not. `position` says where.",
    "headers_too_large": "More or longer headers than `header_count_max` and `header_bytes_max`.",
    "internal": "A fault of the node. Its log tells more; please report it.",
    "invalid_json": "The event or the body is not valid JSON, or not the JSON that is expected.",
    "invalid_key_text": "An imported key has 16 to 512 printable ASCII characters.",
    "invalid_query": "The statement cannot be understood. `position` says where.",
    "invalid_request": "The request cannot be taken as it is; the message says why.",
    "invalid_settings": "Some settings are wrong; all of them are listed.",
    "invalid_slug": "A slug is lower-case letters, digits and hyphens.",
    "journal_failed": "A journal could not be made durable. Its worker restarts; send again.",
    "journal_misplaced": "A journal file was moved or renamed. Give it back its name.",
    "journal_offsets": "Two journals were mixed, or an old one was copied back. Restore one whole.",
    "journal_short": "A journal ends before a position that it said is durable. Restore it, or "
    "accept that the missing events are counted as lost.",
    "journal_unreadable": "A journal file's head and the journal's state are damaged. Restore the "
    "file, or move it away: its events are then counted as lost.",
    "journal_version": "A newer version of Weir wrote the journal. No node starts on it: run "
    "that version.",
    "key_known": "This key is known already, perhaps as a revoked one.",
    "key_not_found": "There is no key with this id. `weir keys list` shows the ids.",
    "key_revoked": "This key was revoked, and stays so. Create or import another one.",
    "limit_out_of_range": "`limit` lies between 1 and `query_rows_max`.",
    "locked": "Another process holds the directory. Stop it, or use another `--data`.",
    "method_not_allowed": "The path does not take this method; `Allow` lists those it takes.",
    "newer_database": "A newer version of Weir wrote the database. No node starts on it: run "
    "that version.",
    "newer_format": "A newer version of Weir wrote the directory, a file of it, or the backup. Run "
    "that version.",
    "node_file_damaged": "`node.json` is not what a node wrote. Restore it from a backup; where "
    "nothing was ever restored it can be removed, and is made anew.",
    "node_not_found": "The directory holds no node. Name the right one with `--data`; `weir serve` "
    "makes a new one.",
    "node_not_running": "No node runs in the directory. Start one with `weir serve`.",
    "node_unreachable": "The node does not answer. Is it running, and the address right?",
    "not_found": "There is no such thing, or it belongs to somebody else.",
    "not_published": "The change is stored and the workers will know of it shortly.",
    "not_weir": "The server that answered is not a Weir node. Look at `--url`.",
    "payload_too_large": "The body is larger than `body_bytes_max`, or inflates past "
    "`inflated_bytes_max`. Send less in one request.",
    "plan_not_found": "There is no such plan. `weir plans list` shows them.",
    "project_not_found": "There is no such project. `weir projects list` shows them.",
    "queries_busy": "The queries of others take all of `query_workers`. Try again.",
    "query_memory_exceeded": "The query needs more than `query_memory_bytes`. Read fewer rows or "
    "columns, or group by fewer values.",
    "query_timeout": "The query ran past `query_timeout_s`. Ask for a shorter range.",
    "quota_exceeded": "The account's events of this month are used up. `Retry-After` is the time "
    "to the month's end in UTC; a larger plan holds at once.",
    "rate_limited": "Over a limit. `Retry-After` says when the next window begins.",
    "request_timeout": "The head did not arrive within `receive_timeout_s`, or the body came more "
    "slowly than `body_bytes_per_s_min`.",
    "restore_unfinished": "A restore into the directory broke off. Give the same command again.",
    "send_state": "The progress of `weir send` is that of another input or node. Remove the file, "
    "or name another with `--state`.",
    "slug_taken": "There is one with this slug already. Choose another.",
    "source_damaged": "A file of the node is not what was committed. A backup may have it.",
    "target_too_long": "Path and query string are longer than `target_bytes_max`. Use POST.",
    "tenant_inactive": "The account was switched off. `weir tenants change --active` opens it.",
    "tenant_not_found": "There is no such tenant. `weir tenants list` shows them.",
    "timeout": "It took longer than its deadline.",
    "data_directory": "The data directory cannot be made, read or written; the message says why, "
    "or whose it is. Choose another, mend it, or run the command as that user.",
    "too_many_tenants": "The node has as many tenants as it can hold.",
    "too_many_keys": "The node has as many live keys as it can hold. Revoke some.",
    "too_many_queries": "The tenant has `query_tenant_workers_max` queries running, or most of "
    "those that wait. Try again.",
    "transfer_coding_unknown": "`Transfer-Encoding` may only be `chunked`.",
    "unauthorized": "The key or token is missing, mistyped, unknown, revoked or expired.",
    "unavailable": "Not now. The same request may succeed after `Retry-After` seconds.",
    "unprocessable": "A value is out of its range; the message names the range.",
    "unsupported_encoding": "`Content-Encoding` may be gzip, deflate or zstd.",
    "version_not_supported": "The door speaks HTTP/1.0 and HTTP/1.1.",
    "validation_failed": "Fields are missing or wrong; `details` names each of them.",
    "validation.enum": "The text is none of those that the field takes; the message lists them.",
    "validation.format": "The text does not have the form that the field needs.",
    "validation.length": "The text is empty, too long, or the event too large.",
    "validation.maxItems": "The object has more keys than the field takes.",
    "validation.minItems": "The list is empty.",
    "validation.required": "The field must be there.",
    "validation.type": "The value has another type than the field needs.",
    "wrong_command_line": "Command line only: an option or argument is wrong; nothing was done.",
}
