using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace Narad.Kafka.Mongo;

/// <summary>Reads and validates <see cref="MongoOptions"/>; needs no reflection.</summary>
internal static class MongoConfiguration
{
    public static void Apply(MongoOptions options, IConfigurationSection? section)
    {
        var errors = new List<string>();
        foreach (var child in section?.GetChildren() ?? [])
        {
            if (child.Value is not { Length: > 0 } value)
            {
                continue;
            }

            switch (child.Key.ToUpperInvariant())
            {
                case "CONNECTIONSTRING":
                    options.ConnectionString = value;
                    break;
                case "DATABASE":
                    options.Database = value;
                    break;
                case "INBOXCOLLECTION":
                    options.InboxCollection = value;
                    break;
                case "OUTBOXCOLLECTION":
                    options.OutboxCollection = value;
                    break;
                case "OPERATIONTIMEOUT":
                    Time(child, time => options.OperationTimeout = time);
                    break;
                case "SERVERSELECTIONTIMEOUT":
                    Time(child, time => options.ServerSelectionTimeout = time);
                    break;
                case "TRANSACTIONLIFETIME":
                    Time(child, time => options.TransactionLifetime = time);
                    break;
                case "TRANSACTIONRETRYTIMEOUT":
                    Time(child, time => options.TransactionRetryTimeout = time);
                    break;
                case "CLAIMDURATION":
                    Time(child, time => options.ClaimDuration = time);
                    break;
                case "USETRANSACTIONS":
                    Boolean(child, flag => options.UseTransactions = flag);
                    break;
                case "CREATEINDEXES":
                    Boolean(child, flag => options.CreateIndexes = flag);
                    break;
                default:
                    errors.Add(
                        $"{child.Path} is no setting. Write one of ConnectionString, Database, InboxCollection, OutboxCollection, OperationTimeout, "
                            + $"ServerSelectionTimeout, TransactionLifetime, TransactionRetryTimeout, "
                        + "ClaimDuration, UseTransactions, CreateIndexes.");
                    break;
            }
        }

        Throw(errors);

        void Time(IConfigurationSection child, Action<TimeSpan> set)
        {
            if (TimeSpan.TryParse(child.Value, CultureInfo.InvariantCulture, out var time))
            {
                set(time);
            }
            else
            {
                errors.Add($"{child.Path} = {child.Value}: write a time such as 00:00:15.");
            }
        }

        void Boolean(IConfigurationSection child, Action<bool> set)
        {
            if (bool.TryParse(child.Value, out var flag))
            {
                set(flag);
            }
            else
            {
                errors.Add($"{child.Path} = {child.Value}: write true or false.");
            }
        }
    }

    public static void ThrowIfInvalid(MongoOptions options)
    {
        var errors = new List<string>();
        var most = TimeSpan.FromMinutes(10);
        Check(nameof(options.OperationTimeout), options.OperationTimeout, TimeSpan.FromMilliseconds(1), most);
        Check(nameof(options.ServerSelectionTimeout), options.ServerSelectionTimeout, TimeSpan.FromMilliseconds(1), most);
        Check(nameof(options.TransactionLifetime), options.TransactionLifetime, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        Check(nameof(options.TransactionRetryTimeout), options.TransactionRetryTimeout, TimeSpan.Zero, most);
        Check(nameof(options.ClaimDuration), options.ClaimDuration, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        CheckName(nameof(options.InboxCollection), options.InboxCollection);
        CheckName(nameof(options.OutboxCollection), options.OutboxCollection);

        Throw(errors);

        void CheckName(string setting, string value)
        {
            if (string.IsNullOrWhiteSpace(value))
            {
                errors.Add($"Kafka:Mongo:{setting} = (empty): write a collection's name.");
            }
        }

        void Check(string setting, TimeSpan value, TimeSpan min, TimeSpan max)
        {
            if (value < min || value > max)
            {
                errors.Add($"Kafka:Mongo:{setting} = {value:c}: write a time from {min:c} to {max:c}.");
            }
        }
    }

    private static void Throw(List<string> errors)
    {
        if (errors.Count > 0)
        {
            throw new KafkaConfigurationException(errors);
        }
    }
}
