using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Producing;
using Narad.Kafka.Transports;

namespace Narad.Kafka;

/// <summary>
/// The transport of a service and its one producer, which serves the application, once it has asked for it, and retry records and dead letters. Each is
/// connected once, and again only where that failed. Thread-safe.
/// </summary>
internal sealed class ServiceConnections
{
    private readonly KafkaOptions _options;
    private readonly KafkaDiagnostics _diagnostics;
    private readonly ILogger _logger;
    private readonly ConnectionMonitor _monitor;
    private readonly CancellationTokenSource _ending = new();
    private readonly Lock _lock = new();

    // Under _lock.
    private Task<ITransport>? _connectingTransport;
    private Task<MessageProducer>? _connectingProducer;

    // Written once, read by anybody.
    private volatile ITransport? _transport;
    private volatile MessageProducer? _producer;
    private volatile string? _clusterId;
    private volatile bool _closed;      // written under _lock
    private volatile bool _ended;

    /// <summary>Connects nothing yet.</summary>
    /// <param name="options">Of the service, valid by the first call.</param>
    /// <param name="diagnostics">Of the service.</param>
    /// <param name="logger">Of the service.</param>
    public ServiceConnections(KafkaOptions options, KafkaDiagnostics diagnostics, ILogger logger)
    {
        _options = options;
        _diagnostics = diagnostics;
        _logger = logger;
        _monitor = new ConnectionMonitor(options, diagnostics);
        Ending = _ending.Token;
    }

    /// <summary>Null before it is connected.</summary>
    public ITransport? Transport => _transport;

    /// <summary>Null before it is connected.</summary>
    public MessageProducer? Producer => _producer;

    /// <summary>Whether a broker answers.</summary>
    public bool IsConnected => !_ended && _monitor.IsConnected;

    /// <summary>Whether nothing is connected any more.</summary>
    public bool IsClosed => _closed;

    /// <summary>Whether the producer was stopped.</summary>
    public bool HasEnded => _ended;

    /// <summary>Cancelled when the service is disconnected: what still connects, or works in the background, ends.</summary>
    public CancellationToken Ending { get; }

    /// <summary>The address, for the log.</summary>
    public static string Address(ITransport transport) => transport.Mode is KafkaMode.Console ? "no broker" : transport.BootstrapServers;

    public Task<ITransport> ConnectTransportAsync()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_closed, typeof(KafkaService));
            if (_connectingTransport is null or { IsFaulted: true } or { IsCanceled: true })
            {
                _connectingTransport = ConnectTransportCoreAsync().Observe();
            }

            return _connectingTransport;
        }
    }

    public Task<MessageProducer> ConnectProducerAsync()
    {
        lock (_lock)
        {
            if (_producer is { } connected)
            {
                return Task.FromResult(connected);   // also while the service disconnects: what runs may still fail
            }

            ObjectDisposedException.ThrowIf(_closed, typeof(KafkaService));
            if (_connectingProducer is null or { IsFaulted: true } or { IsCanceled: true })
            {
                _connectingProducer = ConnectProducerCoreAsync().Observe();
            }

            return _connectingProducer;
        }
    }

    /// <summary>The id of the cluster; asked for once, because it never changes while this service is connected.</summary>
    /// <exception cref="PostponedException">No broker answered. A message came, so one will.</exception>
    public async Task<string> ClusterIdAsync(CancellationToken cancellationToken)
    {
        try
        {
            return _clusterId ??= (await _transport!.DescribeClusterAsync(_options.ConnectTimeout, cancellationToken).ConfigureAwait(false)).ClusterId;
        }
        catch (Exception error) when (error is Confluent.Kafka.KafkaException or TimeoutException)
        {
            throw new PostponedException(TimeSpan.FromSeconds(1));
        }
    }

    /// <summary>Refuses what is asked of a service that was disconnected.</summary>
    /// <exception cref="KafkaNotConnectedException">It was.</exception>
    public void ThrowIfClosed()
    {
        if (_closed)
        {
            throw new KafkaNotConnectedException("Kafka is not connected any more: the service was disconnected. Create a new one.");
        }
    }

    /// <summary>Connects nothing from now on.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
        }
    }

    /// <summary>Ends what is still connecting and waits for it, so that nothing comes to life later. After <see cref="Close"/>.</summary>
    public async Task EndConnectingAsync()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        foreach (var connecting in new Task?[] { _connectingTransport, _connectingProducer })
        {
            if (connecting is not null)
            {
                await connecting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Stops the producer within a limit, then ends the transport.</summary>
    public async Task<SendCounts> StopAsync(TimeSpan limit)
    {
        var counts = _producer is { } producer ? await producer.StopAsync(limit).ConfigureAwait(false) : new SendCounts(0, 0, 0, []);
        _ended = true;
        await _monitor.DisposeAsync().ConfigureAwait(false);
        if (_transport is { } transport)
        {
            await transport.DisposeAsync().ConfigureAwait(false);
            if (transport.Mode is KafkaMode.Console)
            {
                ServiceLog.DisconnectedFromConsole(_logger, counts.Delivered, counts.Failed, counts.Unknown);
            }
            else
            {
                ServiceLog.Disconnected(_logger, transport.Mode, counts.Delivered, counts.Late, counts.Failed, counts.Unknown);
            }
        }

        _ending.Dispose();
        return counts;
    }

    private async Task<ITransport> ConnectTransportCoreAsync()
    {
        // not Task.Yield, which comes back to the caller's context; never under the lock of the caller
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            var (transport, reached) = await TransportSelection.ConnectAsync(_options, _diagnostics, Ending).ConfigureAwait(false);
            _transport = transport;
            _monitor.Start(transport, reached);
            if (transport.Mode is KafkaMode.Console)
            {
                ServiceLog.ConnectedToConsole(_logger);
            }
            else if (reached)
            {
                ServiceLog.Connected(_logger, transport.Mode, transport.BootstrapServers);
            }

            return transport;
        }
        catch (OperationCanceledException) when (Ending.IsCancellationRequested)
        {
            throw new KafkaNotConnectedException("Kafka is not connected: the service was disconnected while it was connecting.");
        }
    }

    private async Task<MessageProducer> ConnectProducerCoreAsync()
    {
        var connecting = ConnectTransportAsync();   // under the lock of the caller, so that disconnecting comes before or after both
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var transport = await connecting.ConfigureAwait(false);
        var producer = new MessageProducer(transport, _options, _diagnostics);
        try
        {
            await producer.ConnectAsync(Ending).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            await producer.DisposeAsync().ConfigureAwait(false);
            if (error is OperationCanceledException && Ending.IsCancellationRequested)
            {
                throw new KafkaNotConnectedException("Kafka is not connected: the service was disconnected while it was connecting.");
            }

            throw;
        }

        _producer = producer;
        ServiceLog.ProducerConnected(_logger, transport.Mode, Address(transport));
        return producer;
    }
}
