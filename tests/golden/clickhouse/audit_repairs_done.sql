SELECT uniqExact(token)
FROM audit_repairs
WHERE state = 'done'
  AND startsWith(token, {token_prefix:String})
