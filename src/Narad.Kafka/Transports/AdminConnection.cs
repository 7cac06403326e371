using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
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

    private static readonly TimeSpan LookTimeout = TimeSpan.FromSeconds(2);

    private const int ReconnectBackoffMaxMs = 500;

    private readonly ClientSettings _clients;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ClientLog _log;
    private readonly SecretHiding _secrets;
    private readonly TokenPump? _tokens;

    // Guards _client, _closing and the start of every call: the client frees its handle under a call that has not returned yet.
    // Calls only enqueue, so it is held for microseconds.
    private readonly Lock _gate = new();
    private IAdminClient? _client;
    private Task? _closing;
    private Task _retiring = Task.CompletedTask;
    private readonly ConnectionTroubles _troubles;
    private int _looking;

    public AdminConnection(ClientSettings clients, KafkaDiagnostics diagnostics, TokenPump? tokens = null)
    {
        _clients = clients;
        _tokens = tokens;
        _time = diagnostics.Time;
        _logger = diagnostics.Logger<AdminConnection>();
        _secrets = clients.Secrets;
        _log = new ClientLog(_logger, _secrets);
        _troubles = new ConnectionTroubles(new ConnectionFacts(clients.Admin()));
    }

    /// <summary>See <see cref="ITransport.ConnectionFault"/>.</summary>
    public ConnectionFault? Fault => _troubles.Main;

    /// <summary>Why a call failed: the broker's reason, or that none answered within the time that it had.</summary>
    public string ReasonOf(Exception failure, TimeSpan timeout) => failure is KafkaException { Error.Code: not ErrorCode.Local_TimedOut } answered
        ? _secrets.Hide(answered.Error.Reason)
        : $"no broker answered within {Duration.Text(timeout)}{(Fault?.Detail is { } error ? $" ({error})" : "")}";

    /// <summary>The fault of logging in without a token.</summary>
    public ConnectionFault NoToken(string reason) => ConnectionFaults.Of(ConnectionFaultKind.NoToken, _troubles.Facts, detail: _troubles.Facts.Hide(reason));

    /// <summary>Whether a broker answered a request for the cluster's description, which names no topic and so creates none.</summary>
    public async Task<bool> ProbeAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        IAdminClient? asked = null;
        try
        {
            await CallAsync(client => (asked = client).DescribeClusterAsync(new DescribeClusterOptions { RequestTimeout = timeout }), timeout, cancellationToken);
            _troubles.Clear();
            return true;
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException)
        {
            _troubles.Add((failure as KafkaException)?.Error is { } error && (int)error.Code > 0
                ? ConnectionFaults.Explain(error.Code, error.Reason, _troubles.Facts)
                : ConnectionFaults.Of(ConnectionFaultKind.NoAnswer, _troubles.Facts));
            Retire(asked);
            return false;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
        catch (Exception failure) when (failure is InvalidOperationException or ArgumentException)
        {
            _troubles.Add(ConnectionFaults.Of(ConnectionFaultKind.NotBuilt, _troubles.Facts, detail: _troubles.Facts.Hide(failure.Message)));
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
                .SetLogHandler((_, line) =>
                {
                    _troubles.Add(line);
                    _log.Write(line);
                })
                .Build();
            _tokens?.Add(client);
            return client;
        }
        catch (Exception failure)
        {
            TransportLog.AdminNotBuilt(_logger, BrokerList.Describe(_clients.BootstrapServers), _secrets.Hide($"{failure.GetType().Name}: {failure.Message}"));
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
        if (_troubles.Add(error) is { Kind: ConnectionFaultKind.UntrustedCertificate } fault && Interlocked.Exchange(ref _looking, 1) == 0)
        {
            Task.Run(() => LookAtCertificateAsync(ClientError.Parse(error.Code, error.Reason).Address, fault)).Forget();
        }
    }

    // The client does not say what is wrong with a certificate.
    private async Task LookAtCertificateAsync(string? broker, ConnectionFault fault)
    {
        try
        {
            if (broker is not null && BrokerList.Port(broker) is not null)
            {
                using var deadline = new CancellationTokenSource(LookTimeout, _time);
                var config = _clients.Admin();
                var certificate = await BrokerCertificate.LookAsync(broker, config, deadline.Token).ConfigureAwait(false);
                if (certificate.Fault(broker, _troubles.Facts, config, fault.Detail) is { } refined)
                {
                    _troubles.Refine(fault.Kind, refined);
                }
            }
        }
        catch (Exception failure) when (failure is IOException or SocketException or AuthenticationException or CryptographicException or OperationCanceledException or UnauthorizedAccessException)
        {
            TransportLog.CertificateNotSeen(_logger, broker ?? "", failure.Message);   // what the client said has to do
        }
        finally
        {
            Volatile.Write(ref _looking, 0);
        }
    }
}
