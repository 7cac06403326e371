using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Security;

namespace Narad.Kafka.Transports;

/// <summary>
/// The one administration client of a transport: it answers whether a broker answers, looks at topics, and remembers why it could not.
/// Built at first use, and again after it got no answer. It never creates a topic by looking, and never hangs: not while calling, not while closing. Thread-safe.
/// </summary>
internal sealed class AdminConnection : IAsyncDisposable
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(3);

    private const int ReconnectBackoffMaxMs = 500;

    private readonly ClientSettings _clients;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ClientLog _log;
    private readonly TokenPump? _tokens;

    // Guards _client, _closing and the start of every call: the client frees its handle under a call that has not returned yet.
    // Calls only enqueue, so it is held for microseconds.
    private readonly Lock _gate = new();
    private IAdminClient? _client;
    private Task? _closing;
    private Task _retiring = Task.CompletedTask;
    private volatile string? _lastError;

    public AdminConnection(ClientSettings clients, KafkaDiagnostics diagnostics, TokenPump? tokens = null)
    {
        _clients = clients;
        _tokens = tokens;
        _time = diagnostics.Time;
        _logger = diagnostics.Logger<AdminConnection>();
        _log = new ClientLog(_logger);
    }

    /// <summary>See <see cref="ITransport.LastConnectionError"/>.</summary>
    public string? LastError => _lastError;

    /// <summary>Whether a broker answered a request for the cluster's description, which names no topic and so creates none.</summary>
    public async Task<bool> ProbeAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        IAdminClient? asked = null;
        try
        {
            await CallAsync(client => (asked = client).DescribeClusterAsync(new DescribeClusterOptions { RequestTimeout = timeout }), timeout, cancellationToken);
            _lastError = null;
            return true;
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException)
        {
            _lastError ??= $"no answer within {Duration.Text(timeout)}";
            Retire(asked);
            return false;
        }
        catch (Exception failure) when (failure is ObjectDisposedException or InvalidOperationException or ArgumentException)
        {
            _lastError = failure.Message;   // disposed, or a configuration that the client refuses
            return false;
        }
    }

    /// <summary>Starts a call and waits for its answer, a little longer than the client itself, which a call on a dying client never ends.</summary>
    /// <exception cref="TimeoutException">The client did not even say that it timed out.</exception>
    /// <exception cref="ObjectDisposedException">The transport was disposed.</exception>
    public Task<T> CallAsync<T>(Func<IAdminClient, Task<T>> call, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Task<T> answer;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_closing is not null, this);
            _client ??= Build();
            answer = call(_client);
        }

        return answer.WaitAsync(timeout + TimeSpan.FromMilliseconds(200), _time, cancellationToken);
    }

    /// <summary>Closes the client on a thread of its own, and waits for that at most 3 s: on a hung broker it takes up to 44 s.</summary>
    public async ValueTask DisposeAsync()
    {
        Task closing;
        lock (_gate)
        {
            closing = _closing ??= Task.WhenAll(
                _retiring,
                _client is { } client
                    ? Task.Factory.StartNew(() => Close(client), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                    : Task.CompletedTask);
        }

        try
        {
            await closing.WaitAsync(CloseTimeout, _time);
        }
        catch (TimeoutException)
        {
            TransportLog.AdminAbandoned(_logger, _clients.BootstrapServers, CloseTimeout.TotalSeconds);
        }

        _log.Complete();
    }

    // The client asks only the broker that it took for the controller when it last heard from any, and does not look for another one: while that
    // broker is down and others answer, each request makes it connect thousands of times a second, without its backoff. A new client
    // asks any broker who the controller is. One at a time is closed, since that takes long on a hung broker.
    private void Retire(IAdminClient? client)
    {
        lock (_gate)
        {
            if (client is null || _closing is not null || !ReferenceEquals(client, _client) || !_retiring.IsCompleted)
            {
                return;
            }

            _client = null;
            _retiring = Task.Factory.StartNew(() => Close(client), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
    }

    private IAdminClient Build()
    {
        try
        {
            var configuration = _clients.Admin();
            if (!_clients.Options.Client.ContainsKey("reconnect.backoff.max.ms"))
            {
                // This one client knocks more often than the others: IsConnected must be true within 5 s of a broker's return.
                configuration.ReconnectBackoffMaxMs = Math.Max(ReconnectBackoffMaxMs, configuration.ReconnectBackoffMs ?? 0);
            }

            var client = new AdminClientBuilder(configuration)
                .SetErrorHandler((_, error) => OnError(error))
                .SetLogHandler((_, line) => _log.Write(line))
                .Build();
            _tokens?.Add(client);
            return client;
        }
        catch (Exception failure)
        {
            TransportLog.AdminNotBuilt(_logger, failure, _clients.BootstrapServers);
            throw;
        }
    }

    private void Close(IAdminClient client)
    {
        _tokens?.Remove(client);
        try
        {
            client.Dispose();
        }
        catch (Exception failure)
        {
            TransportLog.AdminCloseFailed(_logger, failure, _clients.BootstrapServers);
        }
    }

    // On the client's poll thread: must neither throw nor call the application's logger.
    private void OnError(Error error)
    {
        // "1/1 brokers are down" comes beside the reason, and says less.
        if (error.Code != ErrorCode.Local_AllBrokersDown || _lastError is null)
        {
            _lastError = error.Reason;
        }
    }
}
