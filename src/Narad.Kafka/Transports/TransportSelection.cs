using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transports;

/// <summary>
/// Decides the mode, once, and connects it. Auto becomes Console only in Development, and only where no broker is there: one that refuses fails the start
/// everywhere.
/// </summary>
internal static class TransportSelection
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ProbePause = TimeSpan.FromMilliseconds(100);   // a client that cannot even be built fails at once, again and again

    /// <summary>
    /// The transport that is used from now on, and whether it was reached: only <see cref="KafkaOptions.StartWithoutBroker"/> lets it not be.
    /// </summary>
    /// <exception cref="KafkaConnectionException">No broker answered within <see cref="KafkaOptions.ConnectTimeout"/>.</exception>
    public static async Task<(ITransport Transport, bool Reached)> ConnectAsync(
        KafkaOptions options, KafkaDiagnostics diagnostics, CancellationToken cancellationToken)
    {
        if (options.Mode is KafkaMode.Console or KafkaMode.Embedded)
        {
            return (Transport.For(options.Mode, options, diagnostics), true);
        }

        var kafka = Transport.For(KafkaMode.Kafka, options, diagnostics);
        try
        {
            if (await AnswersAsync(kafka, options, diagnostics, cancellationToken).ConfigureAwait(false))
            {
                return (kafka, true);
            }
        }
        catch (OperationCanceledException)
        {
            await kafka.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        var logger = diagnostics.Logger<KafkaTransport>();
        if (options.Mode is KafkaMode.Kafka && options.StartWithoutBroker)
        {
            ServiceLog.StartedWithoutBroker(logger, options.Brokers, Duration.Text(options.ConnectTimeout), kafka.ConnectionFault?.ToString() ?? "");
            return (kafka, false);
        }

        var fault = kafka.ConnectionFault;
        var reason = fault?.ToString() ?? "";

        // Closing a client that is being refused takes seconds, and whoever connects was promised an answer.
        kafka.DisposeAsync().AsTask().Forget();
        if (options.Mode is KafkaMode.Auto && KafkaEnvironment.IsDevelopment(options) && fault is null or { IsNoBroker: true })
        {
            ServiceLog.FellBackToConsole(logger, options.Brokers, Duration.Text(options.ConnectTimeout), reason);
            if (!diagnostics.HasLogger)
            {
                await Console.Out.WriteLineAsync(
                    $"[DEV] No Kafka broker answered at {options.Brokers} within {Duration.Text(options.ConnectTimeout)}: messages are only logged.")
                    .ConfigureAwait(false);
            }

            return (Transport.For(KafkaMode.Console, options, diagnostics), true);
        }

        throw new KafkaConnectionException($"Connecting to Kafka at {options.Brokers} failed within {Duration.Text(options.ConnectTimeout)}. {reason}");
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

            if (await kafka.ProbeAsync(ProbeTime(left), cancellationToken).ConfigureAwait(false))
            {
                return true;
            }

            if (options.ConnectTimeout - diagnostics.Time.GetElapsedTime(started) <= ProbePause)
            {
                return false;
            }

            await Task.Delay(ProbePause, diagnostics.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    // Each attempt begins with a new client where the one before got no answer. A far broker with TLS and a slow login needs more time than one that is near.
    private static TimeSpan ProbeTime(TimeSpan left)
    {
        var half = left / 2;
        return left < ProbeTimeout ? left : half < ProbeTimeout ? ProbeTimeout : half;
    }
}
