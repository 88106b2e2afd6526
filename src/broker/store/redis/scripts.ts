/**
 * What happens in Redis in one piece. KEYS[1] is what all names begin with; a name ends with a client id or the id of
 * an instance, so that no text from the wire can run into another name.
 *
 *     s:<client>   hash: own (the instance that has the client), turn (another one each time somebody gets it), gen
 *                  (which of the client's sessions it is), record, messages, bytes (what is queued); gen and the rest
 *                  only if the session lasts
 *     t:<client>   hash: subscriptions by topic filter
 *     q:<client>   hash: queued messages; 16 digits that they are sorted by, then the message
 *     i:<client>   hash: packet identifiers of what is queued; "<id>:<digits>" when only the release is left
 *     r:<client>   set: packet identifiers of QoS 2 messages received and not released
 *     w:<client>   the will
 *     sessions     set: clients whose session lasts
 *     retained     hash: by topic
 *     instances    set: those that have clients, or had and were not given up
 *     batch:<instance>   the number of its last batch
 *     alive:<instance>   is gone when the instance has not been heard for a while
 *     of:<instance>      set: the clients that it has
 *
 * A script runs alone, and what it publishes is heard in the order of the scripts.
 */

/**
 * A batch of changes: ARGV is the instance, the number of the batch, then changes with their arguments. A batch whose
 * answer was lost is sent again and changes nothing. Answers how many messages were dropped; -1: the instance has been
 * given up.
 */
export const COMMIT = `
local p, me = KEYS[1], ARGV[1]
if redis.call('SISMEMBER', p .. 'instances', me) == 0 then return -1 end
if tonumber(redis.call('GET', p .. 'batch:' .. me) or 0) >= tonumber(ARGV[2]) then return 0 end
redis.call('SET', p .. 'batch:' .. me, ARGV[2], 'EX', 86400)
local at, dropped, owned = 3, 0, {}
local function arg()
  at = at + 1
  return ARGV[at - 1]
end
local function mine(id)
  if owned[id] == nil then owned[id] = redis.call('HGET', p .. 's:' .. id, 'own') == me end
  return owned[id]
end
local function current(id, gen)
  return mine(id) and redis.call('HGET', p .. 's:' .. id, 'gen') == gen
end
local function unqueue(id, field)
  local bytes = redis.call('HSTRLEN', p .. 'q:' .. id, field)
  if redis.call('HDEL', p .. 'q:' .. id, field) == 0 then return end
  redis.call('HINCRBY', p .. 's:' .. id, 'messages', -1)
  redis.call('HINCRBY', p .. 's:' .. id, 'bytes', -bytes)
end
local changes = {
  put = function()
    local id, gen, record, news = arg(), arg(), arg(), arg()
    if not mine(id) then return end
    redis.call('HSET', p .. 's:' .. id, 'gen', gen, 'record', record)
    redis.call('SADD', p .. 'sessions', id)
    redis.call('PUBLISH', p .. 'changes', news)
  end,
  ['end'] = function()
    local id, gen, news = arg(), arg(), arg()
    if not current(id, gen) then return end
    redis.call('HDEL', p .. 's:' .. id, 'gen', 'record', 'messages', 'bytes')
    for _, kind in ipairs({'t:', 'q:', 'i:', 'r:', 'w:'}) do redis.call('DEL', p .. kind .. id) end
    redis.call('SREM', p .. 'sessions', id)
    redis.call('PUBLISH', p .. 'changes', news)
  end,
  left = function()
    local id = arg()
    if not mine(id) or redis.call('HEXISTS', p .. 's:' .. id, 'gen') == 1 then return end
    redis.call('DEL', p .. 's:' .. id, p .. 'w:' .. id)
    redis.call('SREM', p .. 'of:' .. me, id)
    owned[id] = nil
  end,
  give = function()
    local id, to, turn = arg(), arg(), arg()
    if mine(id) and redis.call('HGET', p .. 's:' .. id, 'turn') == turn then
      redis.call('HSET', p .. 's:' .. id, 'own', to, 'turn', redis.call('INCR', p .. 'turns'))
      redis.call('SADD', p .. 'of:' .. to, id)
      redis.call('SREM', p .. 'of:' .. me, id)
      owned[id] = nil
    end
    redis.call('PUBLISH', p .. 'to:' .. to, cjson.encode({'given', id}))
  end,
  sub = function()
    local id, gen, filter, options, news = arg(), arg(), arg(), arg(), arg()
    if not current(id, gen) then return end
    redis.call('HSET', p .. 't:' .. id, filter, options)
    redis.call('PUBLISH', p .. 'changes', news)
  end,
  unsub = function()
    local id, gen, filter, news = arg(), arg(), arg(), arg()
    if not current(id, gen) then return end
    redis.call('HDEL', p .. 't:' .. id, filter)
    redis.call('PUBLISH', p .. 'changes', news)
  end,
  queue = function()
    local id, gen, field, value, packet, most, mostBytes = arg(), arg(), arg(), arg(), arg(), arg(), arg()
    local known = redis.call('HMGET', p .. 's:' .. id, 'gen', 'messages', 'bytes')
    if known[1] ~= gen then return end
    if packet == '0' then
      local messages, bytes = tonumber(known[2] or 0), tonumber(known[3] or 0)
      if messages >= tonumber(most) or (messages > 0 and bytes + #value > tonumber(mostBytes)) then
        dropped = dropped + 1
        return
      end
    end
    local place = string.format('%016d', redis.call('INCR', p .. 'places'))
    if redis.call('HSETNX', p .. 'q:' .. id, field, place .. value) == 1 then
      redis.call('HINCRBY', p .. 's:' .. id, 'messages', 1)
      redis.call('HINCRBY', p .. 's:' .. id, 'bytes', #place + #value)
    end
    if packet ~= '0' and mine(id) then redis.call('HSET', p .. 'i:' .. id, field, packet) end
  end,
  identify = function()
    local id, field, packet = arg(), arg(), arg()
    if mine(id) and redis.call('HEXISTS', p .. 'q:' .. id, field) == 1 then
      redis.call('HSET', p .. 'i:' .. id, field, packet)
    end
  end,
  release = function()
    local id, field, packet = arg(), arg(), arg()
    local row = redis.call('HGET', p .. 'q:' .. id, field)
    if not row or not mine(id) then return end
    unqueue(id, field)
    redis.call('HSET', p .. 'i:' .. id, field, packet .. ':' .. string.sub(row, 1, 16))
  end,
  remove = function()
    local id, field = arg(), arg()
    if not mine(id) then return end
    unqueue(id, field)
    redis.call('HDEL', p .. 'i:' .. id, field)
  end,
  receive = function()
    local id, packet = arg(), arg()
    if mine(id) then redis.call('SADD', p .. 'r:' .. id, packet) end
  end,
  unreceive = function()
    local id, packet = arg(), arg()
    if mine(id) then redis.call('SREM', p .. 'r:' .. id, packet) end
  end,
  will = function()
    local id, will = arg(), arg()
    if mine(id) then redis.call('SET', p .. 'w:' .. id, will) end
  end,
  unwill = function()
    local id = arg()
    if mine(id) then redis.call('DEL', p .. 'w:' .. id) end
  end,
  retain = function()
    local topic, message = arg(), arg()
    if message == '' then redis.call('HDEL', p .. 'retained', topic)
    else redis.call('HSET', p .. 'retained', topic, message) end
  end,
  message = function() redis.call('PUBLISH', p .. 'messages', arg()) end,
}
while at <= #ARGV do changes[arg()]() end
return dropped
`;

/**
 * A client comes. ARGV: the instance, the client, what becomes of whoever has it, the fence: `ask`: it is asked to let
 * the client go, if it lives; `take`: it is not asked any more; `keep`: it keeps the client. Answers who still has it;
 * or an empty text, what was received of it, and the will that is left to publish.
 */
export const CLAIM = `
local p, me, id, how, fence = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local before = redis.call('HMGET', p .. 's:' .. id, 'own', 'turn')
local own = before[1]
if own and own ~= me then
  if how == 'keep' then return {own} end
  if how == 'ask' and redis.call('EXISTS', p .. 'alive:' .. own) == 1 and
    redis.call('PUBLISH', p .. 'to:' .. own, cjson.encode({'take', id, me, before[2]})) > 0 then return {own} end
  redis.call('SREM', p .. 'of:' .. own, id)
end
local turn = redis.call('INCR', p .. 'turns')
redis.call('HSET', p .. 's:' .. id, 'own', me, 'turn', turn)
redis.call('SADD', p .. 'of:' .. me, id)
redis.call('PUBLISH', p .. 'to:' .. me, cjson.encode({'fence', fence, tostring(turn)}))
local will = own ~= me and redis.call('GET', p .. 'w:' .. id) or false
return {'', redis.call('SMEMBERS', p .. 'r:' .. id), will}
`;

/** What is queued for a client. ARGV: the instance, the client, the fence. */
export const READ = `
local p = KEYS[1]
redis.call('PUBLISH', p .. 'to:' .. ARGV[1], cjson.encode({'fence', ARGV[3]}))
return {redis.call('HGETALL', p .. 'q:' .. ARGV[2]), redis.call('HGETALL', p .. 'i:' .. ARGV[2])}
`;

/** A session: own, gen and record, and its subscriptions. ARGV: the client. */
export const FIND = `
local p = KEYS[1]
return {redis.call('HMGET', p .. 's:' .. ARGV[1], 'own', 'gen', 'record'), redis.call('HGETALL', p .. 't:' .. ARGV[1])}
`;

/** All retained messages. (By itself ioredis makes an object of this, with topics as its keys.) */
export const RETAINED = `return redis.call('HGETALL', KEYS[1] .. 'retained')`;

/** An instance comes. ARGV: the instance, for how long it counts as alive, ms. */
export const JOIN = `
redis.call('SADD', KEYS[1] .. 'instances', ARGV[1])
redis.call('SET', KEYS[1] .. 'alive:' .. ARGV[1], '1', 'PX', ARGV[2])
`;

/** It is still there. ARGV: as JOIN. Answers who is not alive any more; nothing: it has been given up itself. */
export const BEAT = `
local p = KEYS[1]
if redis.call('SISMEMBER', p .. 'instances', ARGV[1]) == 0 then return false end
redis.call('SET', p .. 'alive:' .. ARGV[1], '1', 'PX', ARGV[2])
local gone = {}
for _, id in ipairs(redis.call('SMEMBERS', p .. 'instances')) do
  if redis.call('EXISTS', p .. 'alive:' .. id) == 0 then gone[#gone + 1] = id end
end
return gone
`;

/**
 * Takes over the clients of an instance that is gone; one of those who try does. ARGV: the instance, the one that is
 * gone, the fence. Answers client, record, will and turn of each.
 */
export const ADOPT = `
local p, me, gone = KEYS[1], ARGV[1], ARGV[2]
redis.call('PUBLISH', p .. 'to:' .. me, cjson.encode({'fence', ARGV[3]}))
if redis.call('EXISTS', p .. 'alive:' .. gone) == 1 then return {} end
if redis.call('SREM', p .. 'instances', gone) == 0 then return {} end
local clients = {}
for _, id in ipairs(redis.call('SMEMBERS', p .. 'of:' .. gone)) do
  if redis.call('HGET', p .. 's:' .. id, 'own') == gone then
    local turn = redis.call('INCR', p .. 'turns')
    redis.call('HSET', p .. 's:' .. id, 'own', me, 'turn', turn)
    redis.call('SADD', p .. 'of:' .. me, id)
    local record = redis.call('HGET', p .. 's:' .. id, 'record')
    clients[#clients + 1] = {id, record, redis.call('GET', p .. 'w:' .. id), tostring(turn)}
  end
end
redis.call('DEL', p .. 'of:' .. gone)
return clients
`;
