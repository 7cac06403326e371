using System.Globalization;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Doctor;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka;

/// <summary>
/// Finds out why Kafka does not connect: checks the settings, resolves the brokers' names, connects, shakes hands (TLS), logs in, lists the brokers and tries
/// each of their addresses, and, where a topic is given, sends a message to it and reads it back. It stops at the first step that fails and says what that
/// means and what to change.
/// </summary>
/// <remarks>
/// Leaves nothing behind but the one message, in the topic that is given: it joins no group, commits nothing and creates no topic (on the embedded broker the
/// topic is created, as everywhere). Each step takes at most <see cref="KafkaOptions.ConnectTimeout"/>. No secret gets into a report. Thread-safe.
/// </remarks>
/// <example>
/// <code>
/// var report = await new KafkaDoctor(KafkaOptions.FromEnvironment()).ExamineAsync("test-topic");
/// report.WriteTo(Console.Out);
/// </code>
/// </example>
public sealed class KafkaDoctor
{
    private readonly KafkaOptions _options;
    private readonly KafkaDiagnostics _diagnostics;

    /// <summary>Creates a doctor; nothing is examined yet.</summary>
    /// <param name="options">The settings that do not connect, or that are to be tried; not to be changed meanwhile.</param>
    /// <param name="loggers">Where the client's own lines go; default: nowhere.</param>
    /// <param name="time">The clock; default: the system's.</param>
    public KafkaDoctor(KafkaOptions options, ILoggerFactory? loggers = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _diagnostics = new KafkaDiagnostics(loggers, time);
    }

    /// <summary>Examines, and never throws for what it finds.</summary>
    /// <param name="topic">A topic to send a message to and to read it from: the user needs the rights Write and Read on it. Default: none.</param>
    /// <param name="progress">Told of each step when it is done.</param>
    /// <param name="cancellationToken">Ends the examination.</param>
    /// <exception cref="ArgumentException">The topic's name is not one of Kafka's.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task<DoctorReport> ExamineAsync(string? topic = null, IProgress<DoctorStep>? progress = null, CancellationToken cancellationToken = default)
    {
        if (topic is not null)
        {
            topic = TopicName.Resolve(_options, topic);
        }

        var examination = new Examination(_options, _diagnostics, progress, cancellationToken);
        await using (examination.ConfigureAwait(false))
        {
            return await examination.RunAsync(topic).ConfigureAwait(false);
        }
    }
}
