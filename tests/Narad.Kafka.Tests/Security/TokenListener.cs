using System.Collections.Concurrent;
using Narad.Kafka.Testing;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Security;

/// <summary>
/// The listeners of a real cluster that take unsecured tokens and close connections whose token has expired; skips with the reason where there is none.
/// </summary>
internal static class TokenListener
{
    public const string Plaintext = "NARAD_TEST_KAFKA_SASL";
    public const string Tls = "NARAD_TEST_KAFKA_SASL_SSL";

    /// <summary>Options for a listener, with tokens from a source.</summary>
    public static KafkaOptions Options(string listener, OAuthBearerTokenProvider source)
    {
        var brokers = Environment.GetEnvironmentVariable(listener);
        Skip.If(string.IsNullOrEmpty(brokers), $"{listener} names no listener that takes unsecured tokens (host:port).");
        var options = new KafkaOptions
        {
            Mode = KafkaMode.Kafka,
            Environment = "Development",
            Brokers = brokers!,
            Sasl = { Mechanism = "oauthbearer", TokenProvider = source },
            ShutdownTimeout = TimeSpan.FromSeconds(10),
        };
        if (listener == Tls)
        {
            options.Ssl.Enabled = true;
            options.Ssl.Ca = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_CA");
            Skip.If(string.IsNullOrEmpty(options.Ssl.Ca), "NARAD_TEST_KAFKA_CA names no certificate of an authority.");
        }

        return options;
    }

    /// <summary>A source of tokens with this life.</summary>
    public static OAuthBearerTokenProvider Tokens(TimeSpan life) => _ => new ValueTask<OAuthBearerToken>(UnsecuredToken.Create("token-test", life));
}

/// <summary>A service with tokens, with what it logged and what it received.</summary>
internal sealed class TokenService(KafkaOptions options) : IAsyncDisposable
{
    public LogEvents Log { get; } = new();

    public ConcurrentQueue<string> Received { get; } = new();

    public KafkaService Kafka => field ??= new KafkaService(options, Log);

    public Task<HealthReport> HealthAsync() => HealthReport.OfAsync(Kafka);

    /// <summary>Connects for sending, and reads the topic.</summary>
    public async Task ConnectAsync(string topic, Action<SubscriptionOptions>? configure = null)
    {
        await Kafka.ConnectProducerAsync();
        var group = RealKafka.NewName("group");
        await Kafka.ConnectConsumerAsync(group);
        await Kafka.SubscribeAsync<string>(
            topic,
            (message, _, _) =>
            {
                Received.Enqueue(message);
                return Task.CompletedTask;
            },
            group,
            configure);
    }

    public ValueTask DisposeAsync() => Kafka.DisposeAsync();
}
