using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>Sorts what the driver throws: the server cannot be worked with (an outage), or a document cannot be stored (a failure of its message).</summary>
internal static class MongoErrors
{
    public const string Transient = "TransientTransactionError";
    public const string UnknownCommit = "UnknownTransactionCommitResult";

    private const int Unauthorized = 13;
    private const int AuthenticationFailed = 18;
    private const int WriteConflict = 112;

    // Server codes that say that this server, or any, cannot do it now; of a document they say nothing.
    private static readonly HashSet<int> OutageCodes =
    [
        6, 7, 24, 50, 63, 64, 79, 89, 91, 100, 133, 134, 150, 189, 202, 225, 234, 262, 290, 317, 358, 384, 402, 8000, 9001, 10107, 11600, 11601, 11602,
            13388, 13435, 13436,
        Unauthorized, AuthenticationFailed,
    ];

    /// <summary>The outage that an exception tells of, with what to do; null where it is none.</summary>
    public static StoreUnavailableException? OutageOf(Exception error, string action)
    {
        for (var cause = error; cause is not null; cause = cause.InnerException)
        {
            if (cause is StoreUnavailableException known)
            {
                return known;
            }

            if (ReasonOf(cause) is { } reason)
            {
                return new StoreUnavailableException($"MongoDB could not {action}: {reason}", error);
            }
        }

        return null;
    }

    public static bool IsTransient(Exception error) => HasLabel(error, Transient);

    public static bool HasLabel(Exception error, string label)
    {
        for (var cause = error; cause is not null; cause = cause.InnerException!)
        {
            if (cause is MongoException mongo && mongo.HasErrorLabel(label))
            {
                return true;
            }
        }

        return false;
    }

    public static bool IsWriteConflict(Exception error) => CodeOf(error) is WriteConflict
        || (error is MongoException && error.Message.Contains("WriteConflict", StringComparison.Ordinal));

    /// <summary>Whether the id is there already; not where another unique index of the application refuses a document.</summary>
    public static bool IsDuplicateId(Exception error) => error switch
    {
        MongoWriteException { WriteError: { } refused } => IsDuplicateId(refused),
        MongoCommandException { Code: 11000 } command => NamesId(command.Message),
        MongoBulkWriteException { WriteErrors: [{ } refused] } => IsDuplicateId(refused),
        _ => false,
    };

    public static bool IsDuplicateId(WriteError error) => error.Category is ServerErrorCategory.DuplicateKey && NamesId(error.Message);

    /// <summary>Whether a refused write says nothing about its document.</summary>
    public static bool IsOutage(WriteError error) => OutageCodes.Contains(error.Code);

    /// <summary>Whether another writer of the same document was in the way.</summary>
    public static bool IsRace(WriteError error) => error.Code is WriteConflict || error.Message.Contains("deadlock detected", StringComparison.Ordinal);

    private static bool NamesId(string message) => message.Contains("_id_", StringComparison.Ordinal);

    private static int? CodeOf(Exception error) => error switch
    {
        MongoCommandException command => command.Code,
        MongoWriteException { WriteError: { } refused } => refused.Code,
        MongoExecutionTimeoutException => 50,
        _ => null,
    };

    private static string? ReasonOf(Exception error) => error switch
    {
        MongoAuthenticationException => "the server refused the login. Check user, password and authSource of the connection string.",
        MongoConnectionException or MongoConnectionPoolPausedException or MongoWaitQueueFullException => "the connection failed. Check that the server runs "
            + "and can be reached; this is tried again by itself.",
        TimeoutException when error.Source is "MongoDB.Driver" || error.Message.Contains("selecting a server", StringComparison.Ordinal)
            => Selection(error.Message),
        MongoNotPrimaryException or MongoNodeIsRecoveringException => "the server is not the primary, or recovers. This is tried again by itself.",
        MongoExecutionTimeoutException => "the server gave up after its time limit.",
        MongoWriteConcernException => "the write was not acknowledged by enough members.",
        MongoBulkWriteException { WriteConcernError: not null } => "the write was not acknowledged by enough members.",
        _ when CodeOf(error) is Unauthorized => "the user may not do that. Grant it the role readWrite on the database; a changed "
            + "retention needs dbAdmin too.",
        _ when CodeOf(error) is AuthenticationFailed => "the server refused the login. Check user, password and authSource of the connection string.",
        _ when CodeOf(error) is { } code && OutageCodes.Contains(code) =>
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"the server answered with error {code}. This is tried again by itself."),
        MongoException mongo when mongo.HasErrorLabel("RetryableWriteError") => "the server cannot write now. This is tried again by itself.",
        _ => null,
    };

    private static string Selection(string message) =>
        message.Contains("Authentication", StringComparison.Ordinal)
            ? "the server refused the login. Check user, password and authSource of the connection string."
            : "no server answered in time. Check that it runs and can be reached; this is tried again by itself.";
}
