SELECT DISTINCT arrayJoin(arrayConcat(if(max(stored.workspace_id = '__other__'), ['workspace_id'], []), if(max(stored.model = '__other__'), ['model'], []), if(max(stored.virtual_model = '__other__'), ['virtual_model'], []), if(max(stored.team_id = '__other__'), ['team_id'], []), if(max(stored.user_id = '__other__'), ['user_id'], []), if(max(stored.virtual_account_id = '__other__'), ['virtual_account_id'], []))) AS dimension
FROM usage_1h_rows AS stored
WHERE stored.window_start >= toDateTime({from_s:UInt32}, 'UTC') AND stored.window_start < toDateTime({to_s:UInt32}, 'UTC')
UNION DISTINCT
SELECT DISTINCT toString(arrayJoin(mapKeys(folded))) AS dimension
FROM chunk_ledger
