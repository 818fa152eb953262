"""Everything that depends on private parts of Dagster; re-check it when Dagster is upgraded.

No module outside this folder imports `dagster._…`, `dagster_celery` or `dagster_postgres`
(`tests/assets/test_dagster_internals.py`). Checked against Dagster 1.13.

`event_log` — SQLite event log that writes many events per transaction
    Uses: `SqliteEventLogStorage._connect`, `_initdb`, `_initialized_dbs`, `_db_lock`, `_event_to_row`, `run_connection`,
    and `SqlEventLogStorage.index_transaction`, `_store_asset_event`, `_store_asset_event_tags`.
    Why: Dagster creates an engine three times per event and commits twice, 27 ms of processor time per prompt and asset
    instead of 2.
    Re-check: that these methods exist, that `store_event` still consists of the same inserts, and that the files stay
    readable by Dagster's own class.
    Tests: `tests/assets/test_event_log.py`; Dagster's own tests run on this class with `make test-event-log`.

`postgres_storage` — Postgres event log that keeps its connections and stores planned events in batches
    Uses: `PostgresEventLogStorage._engine`, `_token_provider`, `_event_to_row`, `DagsterPostgresStorage._event_log_storage`.
    Why: Dagster opens a connection per event and stores planned materializations one by one.
    Re-check: that both classes still read these attributes, and that `store_event_batch` still handles materializations.
    Tests: `tests/distributed/test_postgres_storage.py`, `make test-event-log`.

`event_batches` — the environment variable that makes Dagster hand over events in batches
    Uses: `DAGSTER_EVENT_BATCH_SIZE`, which is not documented.
    Re-check: that the variable still exists and that `store_event_batch` is called.
    Tests: `test_the_events_of_a_range_arrive_in_batches` in `tests/assets/test_event_log.py`.

`celery_launcher` — Celery run launcher that asks the worker whether it is alive
    Uses: `CheckRunHealthResult` and `WorkerStatus` of `dagster._core.launcher`, `CeleryRunLauncher.celery`, the task id tag.
    Why: Dagster believes the result backend, which reports the task of a killed worker as "started" for ever.
    Re-check: whether Dagster's own launcher has started to ask the worker.
    Tests: `tests/assets/test_celery_launcher.py`, `tests/distributed/test_cluster.py`.

`range_events` — materializations of a range, logged as one batch
    Uses: `DagsterEvent.asset_materialization`, `DagsterEventBatchMetadata`, `get_step_execution_context()`.
    Why: `context.log_event` stores each materialization separately and keeps all of them in memory until the step ends.
    Re-check: the signature of `DagsterEvent.asset_materialization`.
    Tests: `tests/assets/test_failing_prompt.py`, `tests/assets/test_event_log.py`.

`step_metadata` — metadata of all partitions of a step, added in one call
    Uses: `StepExecutionContext._metadata_accumulator`, `OutputMetadataAccumulator`, `AssetMetadataHandle`.
    Why: `context.add_asset_metadata` reads all partition keys and copies all metadata at every call: hours for ten thousand
    prompts.
    Re-check: that the accumulator still maps an asset and partition key to metadata.
    Tests: `tests/assets/test_dagster_internals.py`.

`private_names` — classes that Dagster does not export
    Uses: `UnresolvedAssetJobDefinition` (the type that `dg.define_asset_job` returns) and `DagsterAssetCheckFailedError`
    (raised when a blocking check fails).
    Re-check: whether `dagster` has started to export them.
    Tests: mypy for the type; `tests/assets/test_dagster_internals.py` for the error.

Used elsewhere, not private by name but not documented either: `get_subset` and `execute_in_process` of a job
(`cli/launch.py`), methods of `instance.event_log_storage` (`automation/pools.py`, `automation/pruning.py`,
`checks/check_results.py`), and the tags of partition ranges (`runtime/run_tags.py`).
`tests/assets/test_dagster_behaviour.py`, `test_pools.py` and `test_prune.py` pin them.
"""
