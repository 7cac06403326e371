using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Doctor;

/// <summary>
/// One examination of <see cref="KafkaDoctor"/>: its steps in the order of connecting, each beginning where the one before ended. Used once, by one caller.
/// </summary>
internal sealed class Examination : IAsyncDisposable
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SoonExpired = TimeSpan.FromDays(14);

    private readonly KafkaOptions _options;
    private readonly KafkaDiagnostics _diagnostics;
    private readonly TimeProvider _time;
    private readonly IProgress<DoctorStep>? _progress;
    private readonly CancellationToken _cancellation;
    private readonly List<DoctorStep> _steps = [];
    private readonly List<(string Broker, IPAddress[] Addresses)> _resolved = [];
    private readonly List<string> _reached = [];
    private ITransport? _transport;
    private DeliveryResult<byte[], byte[]>? _written;
    private AdminClientConfig _config = new();
    private ConnectionFacts _facts = null!;   // from the settings' step on, which comes first

    public Examination(KafkaOptions options, KafkaDiagnostics diagnostics, IProgress<DoctorStep>? progress, CancellationToken cancellationToken)
    {
        _options = options;
        _diagnostics = diagnostics;
        _time = diagnostics.Time;
        _progress = progress;
        _cancellation = cancellationToken;
    }

    public async Task<DoctorReport> RunAsync(string? topic)
    {
        if (!await StepAsync("settings", () => Task.FromResult(Settings())).ConfigureAwait(false))
        {
            return Report();
        }

        if (_options.Mode is KafkaMode.Console)
        {
            return new DoctorReport(
                _steps, $"the mode is Console, so nothing is connected and messages are only logged. Set {SettingNames.Of("Mode")} to Kafka to connect.");
        }

        _ = await StepAsync("names", NamesAsync).ConfigureAwait(false)
            && await StepAsync("connections", ConnectionsAsync).ConfigureAwait(false)
            && await StepAsync("TLS", TlsAsync).ConfigureAwait(false)
            && await StepAsync("login", LoginAsync).ConfigureAwait(false)
            && await StepAsync("cluster", ClusterAsync).ConfigureAwait(false)
            && topic is not null
            && await StepAsync("topic", () => TopicAsync(topic)).ConfigureAwait(false)
            && await StepAsync("produce", () => ProduceAsync(topic)).ConfigureAwait(false)
            && await StepAsync("consume", () => ConsumeAsync(topic)).ConfigureAwait(false);
        return Report();
    }

    public ValueTask DisposeAsync()
    {
        // Closing takes seconds where brokers do not answer, and the report is made.
        _transport?.DisposeAsync().AsTask().Forget();
        return ValueTask.CompletedTask;
    }

    private DoctorReport Report()
    {
        var last = _steps[^1];
        return new DoctorReport(_steps, last.Outcome is DoctorOutcome.Failed
            ? $"{last.Details.ReplaceLineEndings(" ")}{(last.Recommendation is null ? "" : $" {last.Recommendation}")}" : null);
    }

    // Whether the next step is to be made.
    private async Task<bool> StepAsync(string name, Func<Task<Finding>> examine)
    {
        _cancellation.ThrowIfCancellationRequested();
        var started = _time.GetTimestamp();
        Finding finding;
        try
        {
            finding = await examine().ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OperationCanceledException || !_cancellation.IsCancellationRequested)
        {
            // A doctor who dies of a patient's ill helps nobody.
            finding = Finding.Failed(Hide($"{error.GetType().Name}: {error.Message}"), "This was not expected: please report it.");
        }

        var step = new DoctorStep(name, finding.Outcome, _time.GetElapsedTime(started), finding.What, finding.Advice);
        _steps.Add(step);
        _progress?.Report(step);
        return finding.Outcome is not DoctorOutcome.Failed;
    }

    // ── settings ──
    private Finding Settings()
    {
        var report = KafkaOptionsValidator.Check(_options);
        if (report.Errors.Count > 0)
        {
            return Finding.Failed(string.Join('\n', report.Errors), "Correct each: nothing can be connected with these.");
        }

        if (_options.Mode is not KafkaMode.Console)
        {
            _transport = Transport.For(_options.Mode is KafkaMode.Embedded ? KafkaMode.Embedded : KafkaMode.Kafka, _options, _diagnostics);
            _config = _transport.Clients.Admin();
            _facts = new ConnectionFacts(_config);
        }

        var what = _options.Mode is KafkaMode.Console
            ? $"mode {_options.Mode}, client '{_options.ClientId}'"
            : $"mode {_options.Mode}, client '{_options.ClientId}', brokers {BrokerList.Describe(_transport!.BootstrapServers)}, "
                + $"{(_facts.Tls ? "TLS" : "no TLS")}, "
                + $"{(_facts.Mechanism is null ? "no login" : $"login {_options.Sasl.Mechanism}")}\n{DirectAccess.Describe()}";
        return report.Warnings.Count == 0 ? Finding.Passed(what) : new Finding(DoctorOutcome.Warning, $"{what}\n{string.Join('\n', report.Warnings)}");
    }

    // ── names ──
    private async Task<Finding> NamesAsync()
    {
        var lines = new List<string>();
        ConnectionFault? fault = null;
        foreach (var broker in BrokerList.Split(_facts.Brokers))
        {
            var (addresses, reason) = await ResolveAsync(broker).ConfigureAwait(false);
            if (addresses.Length > 0)
            {
                _resolved.Add((broker, addresses));
                lines.Add($"{BrokerList.Host(broker)} is {string.Join(", ", addresses.Select(address => address.ToString()))}");
            }
            else
            {
                fault ??= ConnectionFaults.Of(ConnectionFaultKind.UnknownHost, _facts, broker);
                lines.Add($"{BrokerList.Host(broker)} is unknown ({reason})");
            }
        }

        return Of(lines, fault, all: _resolved.Count == 0);
    }

    private async Task<(IPAddress[] Addresses, string? Reason)> ResolveAsync(string broker)
    {
        try
        {
            return (await Dns.GetHostAddressesAsync(BrokerList.Host(broker), _cancellation).Observe().WaitAsync(_options.ConnectTimeout, _time, _cancellation)
                .ConfigureAwait(false), null);
        }
        catch (Exception error) when (error is SocketException or TimeoutException or ArgumentException)
        {
            return ([], error is TimeoutException ? $"no answer within {Duration.Text(_options.ConnectTimeout)}" : error.Message);
        }
    }

    // ── connections ──
    private async Task<Finding> ConnectionsAsync()
    {
        var tries = await Task.WhenAll(
            _resolved.Select(async known => (known.Broker, Result: await TryConnectAsync(known.Broker, known.Addresses).ConfigureAwait(false))))
            .ConfigureAwait(false);
        ConnectionFault? fault = null;
        foreach (var (broker, result) in tries)
        {
            if (result.Failure is null)
            {
                _reached.Add(broker);
            }
            else
            {
                fault ??= ConnectionFaults.Of(result.Failure.Value, _facts, broker);
            }
        }

        return Of([.. tries.Select(attempt => $"{attempt.Broker} {attempt.Result.Text}")], fault, all: _reached.Count == 0);
    }

    private async Task<(ConnectionFaultKind? Failure, string Text)> TryConnectAsync(string broker, IPAddress[] addresses)
    {
        var failure = ConnectionFaultKind.Unreachable;
        var text = "has no address";
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(_cancellation);
        deadline.CancelAfter(_options.ConnectTimeout);
        foreach (var address in addresses)
        {
            var started = Stopwatch.GetTimestamp();
            using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(address, BrokerList.Port(broker) ?? 0, deadline.Token).ConfigureAwait(false);
                return (null,
                    string.Create(CultureInfo.InvariantCulture, $"accepts connections ({Stopwatch.GetElapsedTime(started).TotalMilliseconds:0.0} ms)"));
            }
            catch (SocketException error)
            {
                failure = error.SocketErrorCode is SocketError.ConnectionRefused ? ConnectionFaultKind.NobodyListens : ConnectionFaultKind.Unreachable;
                text = $"does not: {error.Message}";
            }
            catch (OperationCanceledException) when (!_cancellation.IsCancellationRequested)
            {
                return (ConnectionFaultKind.Unreachable, $"did not answer within {Duration.Text(_options.ConnectTimeout)}");
            }
        }

        return (failure, text);
    }

    // ── TLS ──
    private async Task<Finding> TlsAsync()
    {
        if (!_facts.Tls)
        {
            return new Finding(DoctorOutcome.Skipped, $"the settings ask for none ({SettingNames.Of("Ssl:Enabled")})");
        }

        var lines = new List<string>();
        var warnings = new List<string>();
        var good = 0;
        ConnectionFault? fault = null;
        foreach (var broker in _reached)
        {
            var (certificate, failure) = await LookAsync(broker).ConfigureAwait(false);
            if (certificate is not null)
            {
                lines.Add($"{broker} {certificate.Protocol}, certificate for {string.Join(", ", certificate.Names)}, signed by {certificate.Issuer}, valid "
                    + $"until {certificate.Until.UtcDateTime:u}");
                failure = certificate.Fault(broker, _facts, _config);
                if (certificate.Errors is not SslPolicyErrors.None && failure is null)
                {
                    warnings.Add(
                        $"{broker} shows a certificate that is not accepted as such ({certificate.Errors}), and the settings say not to check: "
                            + $"{SettingNames.Of("Ssl:RejectUnauthorized")}.");
                }

                if (failure is null && certificate.Until - _time.GetUtcNow() < SoonExpired)
                {
                    warnings.Add($"The certificate of {broker} runs out soon.");
                }
            }
            else
            {
                lines.Add($"{broker} {failure!.Detail}");
            }

            fault ??= failure;
            good += failure is null ? 1 : 0;
        }

        var finding = Of(lines, fault, all: good == 0);
        return finding.Outcome is DoctorOutcome.Passed && warnings.Count > 0 ? new Finding(DoctorOutcome.Warning, finding.What, string.Join(' ', warnings))
            : finding;
    }

    private async Task<(BrokerCertificate? Certificate, ConnectionFault? Failure)> LookAsync(string broker)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(_cancellation);
        deadline.CancelAfter(_options.ConnectTimeout);
        try
        {
            return (await BrokerCertificate.LookAsync(broker, _config, deadline.Token).ConfigureAwait(false), null);
        }
        catch (OperationCanceledException) when (!_cancellation.IsCancellationRequested)
        {
            return (null,
                ConnectionFaults.Of(ConnectionFaultKind.NoAnswer, _facts, broker,
                    $"accepted the connection and did not shake hands within {Duration.Text(_options.ConnectTimeout)}"));
        }
        catch (Exception error) when (error is IOException or SocketException)
        {
            return (null,
                ConnectionFaults.Of(ConnectionFaultKind.TlsToPlaintext, _facts, broker, $"closed the connection during the handshake: {error.Message}"));
        }
        catch (AuthenticationException error)
        {
            var kind = error.InnerException?.Message.Contains("alert", StringComparison.OrdinalIgnoreCase) is true && !_facts.HasCertificate
                ? ConnectionFaultKind.NoClientCertificate : ConnectionFaultKind.HandshakeFailed;
            return (null, ConnectionFaults.Of(kind, _facts, broker, error.InnerException is { } inner ? $"{error.Message} {inner.Message}" : error.Message));
        }
        catch (Exception error) when (error is CryptographicException or UnauthorizedAccessException or ArgumentException)
        {
            return (null, ConnectionFaults.Of(ConnectionFaultKind.NotBuilt, _facts, broker, $"could not be asked: {Hide(error.Message)}"));
        }
    }

    // ── login ──
    private async Task<Finding> LoginAsync()
    {
        var probe = _transport!.ProbeAsync(_options.ConnectTimeout, _cancellation);
        long? refused = null;
        while (!probe.IsCompleted)
        {
            // The client would try again until the time is over. Of several brokers another one may still answer.
            if (_transport.ConnectionFault is { IsRefusal: true } or { Kind: ConnectionFaultKind.AdvertisedAddress })
            {
                refused ??= _time.GetTimestamp();
                if (_time.GetElapsedTime(refused.Value) > Grace)
                {
                    break;
                }
            }

            await Task.WhenAny(probe, Task.Delay(TimeSpan.FromMilliseconds(50), _time, _cancellation)).ConfigureAwait(false);
        }

        if (!probe.IsCompleted || !await probe.ConfigureAwait(false))
        {
            var fault = _transport.ConnectionFault ?? ConnectionFaults.Of(ConnectionFaultKind.NoAnswer, _facts);
            if (fault.Kind is not ConnectionFaultKind.AdvertisedAddress)   // which the next step says: the broker that was asked took the login
            {
                return Failed(fault);
            }
        }

        return _facts.Mechanism is null
            ? Finding.Passed(_facts.HasCertificate ? "a broker answered, and took the client certificate where it asks for one"
                : "a broker answered, without a login")
            : Finding.Passed($"a broker answered, and took the login ({_options.Sasl.Mechanism})");
    }

    private TimeSpan Left(long started)
    {
        var left = _options.ConnectTimeout - _time.GetElapsedTime(started);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    // ── cluster ──
    private async Task<Finding> ClusterAsync()
    {
        if (_transport!.ConnectionFault is { Kind: ConnectionFaultKind.AdvertisedAddress } fault)
        {
            return Failed(fault);
        }

        var cluster = await _transport.DescribeClusterAsync(_options.ConnectTimeout, _cancellation).ConfigureAwait(false);
        var brokers = cluster.Brokers.OrderBy(node => node.Id)
            .Select(node => (node.Id, Address: string.Create(CultureInfo.InvariantCulture, $"{node.Host}:{node.Port}"))).ToList();
        var tries = await Task.WhenAll(brokers.Select(async broker =>
        {
            var (addresses, reason) = await ResolveAsync(broker.Address).ConfigureAwait(false);
            var (failure, text) = addresses.Length == 0 ? (ConnectionFaultKind.UnknownHost, $"is unknown ({reason})")
                : await TryConnectAsync(broker.Address, addresses).ConfigureAwait(false);
            return (broker.Id, broker.Address, Failure: failure, Text: text);
        })).ConfigureAwait(false);
        var unreachable = tries.FirstOrDefault(attempt => attempt.Failure is not null);
        List<string> lines = [$"cluster {cluster.ClusterId}, {(brokers.Count == 1 ? "1 broker" : $"{brokers.Count} brokers")}",
            .. tries.Select(attempt => $"broker {attempt.Id} at {attempt.Address} {attempt.Text}")];
        return Of(lines, unreachable.Address is null ? null
            : ConnectionFaults.Of(ConnectionFaultKind.AdvertisedAddress, _facts, unreachable.Address), all: true);
    }

    // ── topic ──
    private async Task<Finding> TopicAsync(string topic)
    {
        try
        {
            if (_options.CreatesTopics(_transport!.Mode) && _transport.Mode is KafkaMode.Embedded)
            {
                await _transport.Topics.CreateIfNotExistsAsync([new TopicSpec(topic)], _cancellation).ConfigureAwait(false);
            }

            var found = await _transport.Topics.GetPartitionCountsAsync([topic], _cancellation).ConfigureAwait(false);
            return found.TryGetValue(topic, out var partitions)
                ? Finding.Passed($"topic '{topic}' has {(partitions == 1 ? "1 partition" : $"{partitions} partitions")}")
                : Finding.Failed($"The topic '{topic}' does not exist.",
                    $"Create it, or set {SettingNames.Of("TopicCreation")} to IfMissing, and check its name ({SettingNames.Of("TopicNames")}).");
        }
        catch (NaradKafkaException error)
        {
            return Finding.Failed(error.Message, $"The doctor needs the rights Write and Read on topic '{topic}'.");
        }
    }

    // ── there and back ──
    private async Task<Finding> ProduceAsync(string topic)
    {
        var config = _transport!.Clients.Producer();
        config.MessageTimeoutMs = Math.Max(1_000, (int)_options.ConnectTimeout.TotalMilliseconds);
        config.LingerMs = 0;
        var troubles = new ConnectionTroubles(_facts);
        var producer = new ProducerBuilder<byte[], byte[]>(config).SetErrorHandler((_, error) => troubles.Add(error))
            .SetLogHandler((_, line) => troubles.Add(line)).Build();
        _transport.Tokens?.Add(producer);
        try
        {
            var message = new Message<byte[], byte[]> { Key = "narad-doctor"u8.ToArray(), Value = Guid.CreateVersion7().ToByteArray() };
            _written = await producer.ProduceAsync(topic, message, _cancellation).Observe()
                .WaitAsync(_options.ConnectTimeout + TimeSpan.FromSeconds(2), _time, _cancellation).ConfigureAwait(false);
            return Finding.Passed(
                string.Create(CultureInfo.InvariantCulture, $"written to {topic}[{_written.Partition.Value}] at offset {_written.Offset.Value}"));
        }
        catch (ProduceException<byte[], byte[]> error)
        {
            return MissingRight.ToSend(error.Error.Code, topic) is { } right
                ? Finding.Failed(
                    $"The broker refused the message: {error.Error.Reason} ({error.Error.Code}).", $"{char.ToUpperInvariant(right[0])}{right[1..]}.")
                : troubles.Main is { } fault ? Failed(fault)
                : Finding.Failed($"The message was not acknowledged: {Hide(error.Error.Reason)} ({error.Error.Code}).", "See the brokers' logs.");
        }
        catch (TimeoutException)
        {
            return troubles.Main is { } fault ? Failed(fault)
                : Finding.Failed("The message was not acknowledged in time.", $"Raise {SettingNames.Of("ConnectTimeout")}, or see the brokers' logs.");
        }
        finally
        {
            _transport.Tokens?.Remove(producer);
            Task.Run(producer.Dispose, CancellationToken.None).Forget();
        }
    }

    private async Task<Finding> ConsumeAsync(string topic)
    {
        // A reader: it is told where to read, joins no group and commits nothing.
        var troubles = new ConnectionTroubles(_facts);
        Error? refused = null;
        var consumer = new ConsumerBuilder<byte[], byte[]>(_transport!.Clients.Reader($"narad-doctor-{Guid.CreateVersion7():n}"))
            .SetErrorHandler((_, error) => troubles.Add(error))
            .SetLogHandler((_, line) => troubles.Add(line))
            .Build();
        _transport.Tokens?.Add(consumer);
        try
        {
            consumer.Assign(_written!.TopicPartitionOffset);
            var started = _time.GetTimestamp();
            while (Left(started) > TimeSpan.Zero && refused is null)
            {
                _cancellation.ThrowIfCancellationRequested();
                var read = await Task.Run(() => TryConsume(consumer, out refused), _cancellation).ConfigureAwait(false);
                if (read is { IsPartitionEOF: false } && read.Message.Value.AsSpan().SequenceEqual(_written.Message.Value))
                {
                    return Finding.Passed(
                        string.Create(CultureInfo.InvariantCulture, $"read from {topic}[{read.Partition.Value}] at offset {read.Offset.Value}"));
                }
            }

            return refused switch
            {
                { Code: ErrorCode.TopicAuthorizationFailed } =>
                    Finding.Failed($"The broker refused to be read: {refused.Reason} ({refused.Code}).",
                        $"Give the user of {SettingNames.Of("Sasl:Username")} the right Read on topic '{topic}'."),
                not null => Finding.Failed($"The message could not be read: {Hide(refused.Reason)} ({refused.Code}).", "See the brokers' logs."),
                _ => troubles.Main is { } fault ? Failed(fault)
                    : Finding.Failed($"The message was not read within {Duration.Text(_options.ConnectTimeout)}.",
                        $"Raise {SettingNames.Of("ConnectTimeout")}, or see the brokers' logs."),
            };
        }
        finally
        {
            _transport.Tokens?.Remove(consumer);
            Task.Run(consumer.Dispose, CancellationToken.None).Forget();
        }
    }

    private static ConsumeResult<byte[], byte[]>? TryConsume(IConsumer<byte[], byte[]> consumer, out Error? refused)
    {
        refused = null;
        try
        {
            return consumer.Consume(TimeSpan.FromMilliseconds(100));
        }
        catch (ConsumeException error)
        {
            refused = error.Error;
            return null;
        }
    }

    // ── findings ──
    private static Finding Failed(ConnectionFault fault) =>
        Finding.Failed(fault.Detail is null ? fault.Cause : $"{fault.Cause}\nThe client says: {fault.Detail}", fault.Advice);

    private static Finding Of(IReadOnlyList<string> lines, ConnectionFault? fault, bool all)
    {
        var what = string.Join('\n', lines);
        return fault is null ? Finding.Passed(what) : new Finding(all ? DoctorOutcome.Failed : DoctorOutcome.Warning, $"{fault.Cause}\n{what}", fault.Advice);
    }

    private string Hide(string text) => _facts is null ? text : _facts.Hide(text);

    private sealed record Finding(DoctorOutcome Outcome, string What, string? Advice = null)
    {
        public static Finding Passed(string what) => new(DoctorOutcome.Passed, what);

        public static Finding Failed(string what, string advice) => new(DoctorOutcome.Failed, what, advice);
    }
}
