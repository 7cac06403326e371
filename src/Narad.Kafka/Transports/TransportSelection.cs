using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transports;

/// <summary>Decides the mode, once, and connects it. See design: Auto never becomes Console outside of Development.</summary>
internal static class TransportSelection
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(2);

    /// <summary>The transport that is used from now on, reached.</summary>
    /// <exception cref="KafkaConnectionException">No broker answered within <see cref="KafkaOptions.ConnectTimeout"/>.</exception>
    public static async Task<ITransport> ConnectAsync(KafkaOptions options, KafkaDiagnostics diagnostics, CancellationToken cancellationToken)
    {
        if (options.Mode is KafkaMode.Console or KafkaMode.Embedded)
        {
            return Transport.For(options.Mode, options, diagnostics);
        }

        var kafka = Transport.For(KafkaMode.Kafka, options, diagnostics);
        if (await AnswersAsync(kafka, options, diagnostics, cancellationToken).ConfigureAwait(false))
        {
            return kafka;
        }

        var logger = diagnostics.Logger<KafkaTransport>();
        if (options.Mode is KafkaMode.Kafka && options.StartWithoutBroker)
        {
            ServiceLog.StartedWithoutBroker(logger, options.Brokers, options.ConnectTimeout);
            return kafka;
        }

        var reason = kafka.LastConnectionError is { } error ? $"The client says: {error}." : "The client gave no reason.";
        await kafka.DisposeAsync().ConfigureAwait(false);
        if (options.Mode is KafkaMode.Auto && KafkaEnvironment.IsDevelopment(options))
        {
            ServiceLog.FellBackToConsole(logger, options.Brokers, options.ConnectTimeout, reason);
            if (!diagnostics.HasLogger)
            {
                await Console.Error.WriteLineAsync($"[DEV] No Kafka broker answered at {options.Brokers} within {options.ConnectTimeout}: messages are only logged.").ConfigureAwait(false);
            }

            return Transport.For(KafkaMode.Console, options, diagnostics);
        }

        throw new KafkaConnectionException(
            $"No Kafka broker answered at {options.Brokers} within {options.ConnectTimeout} (Kafka:Brokers, KAFKA_BROKERS). {reason} Check host and port, that the broker runs, and that TLS and SASL settings match its listener; without a broker set Kafka:Mode to Embedded or Console.");
    }

    private static async Task<bool> AnswersAsync(ITransport kafka, KafkaOptions options, KafkaDiagnostics diagnostics, CancellationToken cancellationToken)
    {
        var started = diagnostics.Time.GetTimestamp();
        while (true)
        {
            var left = options.ConnectTimeout - diagnostics.Time.GetElapsedTime(started);
            if (left <= TimeSpan.Zero)
            {
                return false;
            }

            if (await kafka.ProbeAsync(left < ProbeTimeout ? left : ProbeTimeout, cancellationToken).ConfigureAwait(false))
            {
                return true;
            }
        }
    }
}
