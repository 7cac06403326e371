using MongoDB.Bson;
using MongoDB.Driver.Core.Events;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>What an outbox sends to MongoDB, by what it is for.</summary>
internal static class OutboxCommands
{
    private const string Leave = "leave";
    private const string Forget = "forget the relay that leaves";
    private const string Start = "start";

    // What the driver sends by itself, what prepares the outbox, and what ends a transaction that failed.
    private static readonly string[] Others =
        ["hello", "isMaster", "getLastError", "endSessions", "killCursors", "listIndexes", "create", "createIndexes", "collMod", "abortTransaction"];

    /// <summary>Each kind, and how often it is to fail: more often than the driver repeats it. A relay sends the last two once.</summary>
    public static IReadOnlyDictionary<string, int> Times { get; } = new[]
    {
        "claim", "renew", "remove dead relays", "read leases", "check the lease", "release", "find pending buckets", "number", "read the counter", "store",
        "commit", "raise the fence", "find held keys", "read pending", "read what is up to them", "mark", "note a refusal", "set aside", "list", "retry",
        "discard", "count pending", "count set aside", "open the change stream", "read the change stream",
    }.ToDictionary(static kind => kind, static _ => 2, StringComparer.Ordinal).Append(new(Leave, 1)).Append(new(Forget, 1))
        .ToDictionary(StringComparer.Ordinal);

    public static string? KindOf(CommandStartedEvent started)
    {
        var (name, command) = (started.CommandName, started.Command);
        if (Others.Contains(name))
        {
            return Start;
        }

        if (name is "commitTransaction")
        {
            return "commit";
        }

        return (name is "getMore" ? command["collection"] : command[0]).AsString == OutboxMessages.State ? OfState(name, command) : OfRows(name, command);
    }

    private static string? OfState(string name, BsonDocument command) => name switch
    {
        "findAndModify" => command["query"]["_id"] == "sequence" ? "number" : "claim",
        "insert" => Start,
        "update" => command["updates"][0] switch
        {
            var update when update.AsBsonDocument.GetValue("upsert", false).ToBoolean() => "renew",
            var update => update["q"].AsBsonDocument.Contains("fence") ? "release" : Leave,
        },
        "delete" => command["deletes"][0]["q"]["_id"].IsString ? Forget : "remove dead relays",
        "find" => command["filter"].AsBsonDocument switch
        {
            var filter when filter.Contains("$or") => "read leases",
            var filter when filter.Contains("$expr") => "check the lease",
            var filter => filter["_id"] == "sequence" ? "read the counter" : null,
        },
        "aggregate" => command["pipeline"].AsBsonArray.Any(static stage => stage.AsBsonDocument.Contains("$lookup")) ? "find pending buckets" : Start,
        _ => null,
    };

    private static string? OfRows(string name, BsonDocument command) => name switch
    {
        "insert" => "store",
        "delete" => "discard",
        "getMore" => "read the change stream",
        "update" => command["updates"][0]["u"].AsBsonDocument switch
        {
            var update when update.Contains("$inc") && !update["$set"].AsBsonDocument.Contains("state") => "note a refusal",
            var update when update["$set"].AsBsonDocument.Contains("fence") => "raise the fence",
            var update => update["$set"]["state"].AsString switch { "dispatched" => "mark", "setAside" => "set aside", _ => "retry" },
        },
        "find" => command["filter"].AsBsonDocument switch
        {
            var filter when filter.Contains("holdsKey") => "find held keys",
            var filter when filter.GetValue("state", "") == "setAside" => "list",
            _ => command.Contains("projection") ? "read what is up to them" : "read pending",
        },
        "aggregate" => command["pipeline"][0].AsBsonDocument switch
        {
            var stage when stage.Contains("$changeStream") => "open the change stream",
            var stage => stage["$match"]["state"] == "pending" ? "count pending" : "count set aside",
        },
        _ => null,
    };
}
