using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Security;

namespace Narad.Kafka.Transports;

/// <summary>
/// The one administration client of a transport: it answers whether a broker answers, looks at topics, and remembers why it could not. Built at first use, and
/// again after it got no answer or died. It never creates a topic by looking, and never hangs: not while calling, not while closing. Thread-safe.
/// </summary>
/// <remarks>
/// Brokers and topics are asked for with librdkafka's Metadata request only, see <see cref="LibrdkafkaMetadata"/>. Nothing here calls the client
/// periodically but <see cref="ProbeAsync"/>.
/// </remarks>
internal sealed class AdminConnection : IAsyncDisposable
{
    // A request for metadata has to name a topic, or it asks for all topics of the cluster. No topic can have this name, so no broker creates it.
    private const string NoTopic = "narad: does a broker answer?";

    private const int ReconnectBackoffMaxMs = 500;

    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LookTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AnswerGrace = TimeSpan.FromMilliseconds(200);   // for the client to say itself that the time is over

    private readonly ClientSettings _clients;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ClientLog _log;
    private readonly SecretHiding _secrets;
    private readonly TokenRefresher? _tokens;
    private readonly ConnectionTroubles _troubles;
    private readonly ClientDeaths _deaths;

    // Guards _client, _closing, _retiring and the start of every call: the client frees its handle under a call that has not returned yet.
    // Calls only enqueue, so it is held for microseconds.
    private readonly Lock _lock = new();
    private readonly OncePerKind<string> _news;   // by event, until a broker answers
    private AdminHandle? _client;
    private Task? _closing;
    private Task _retiring = Task.CompletedTask;
    private int _looking;

    public AdminConnection(ClientSettings clients, KafkaDiagnostics diagnostics, TokenRefresher? tokens = null)
    {
        _clients = clients;
        _tokens = tokens;
        _time = diagnostics.Time;
        _logger = diagnostics.Logger<AdminConnection>();
        _news = new OncePerKind<string>(diagnostics.Time);
        _secrets = clients.Secrets;
        _log = new ClientLog(_logger, _secrets, diagnostics.Time, diagnostics.Unreachable);
        _troubles = new ConnectionTroubles(new ConnectionFacts(clients.Admin()));
        _deaths = new ClientDeaths(diagnostics.Time);
    }

    /// <summary>See <see cref="ITransport.ConnectionFault"/>.</summary>
    public ConnectionFault? Fault => _troubles.Main;

    /// <summary>Why a call failed: the broker's reason, or that none answered within the time that it had.</summary>
    public string ReasonOf(Exception failure, TimeSpan timeout) => failure is KafkaException { Error.Code: not ErrorCode.Local_TimedOut } answered
        ? _secrets.Hide(answered.Error.Reason)
        : $"no broker answered within {Duration.Text(timeout)}{(Fault?.Detail is { } error ? $" ({error})" : "")}";

    /// <summary>The fault of logging in without a token.</summary>
    public ConnectionFault NoToken(string reason) => ConnectionFaults.Of(ConnectionFaultKind.NoToken, _troubles.Facts, detail: _troubles.Facts.Hide(reason));

    /// <summary>Whether a broker that the cluster names answers within <paramref name="timeout"/>.</summary>
    public async Task<bool> ProbeAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        AdminHandle? asked = null;
        try
        {
            var unreachable = await WithClientAsync(
                async client =>
                {
                    asked = client;
                    var started = _time.GetTimestamp();
                    var named = (await AskAsync(client, [NoTopic], timeout, cancellationToken).ConfigureAwait(false)).Brokers;
                    if (client.ReachedNamedBroker || named.Any(broker => _troubles.Facts.Names(broker.Address)))
                    {
                        return null;
                    }

                    // The first answer comes from an address of the settings, and says nothing about the addresses that the cluster names.
                    var left = timeout - _time.GetElapsedTime(started);
                    client.ReachedNamedBroker = await NamedBrokers.AnyAcceptsAsync(named, left, _time, cancellationToken).ConfigureAwait(false);
                    return client.ReachedNamedBroker ? null : named[0].Address;
                }).ConfigureAwait(false);
            if (unreachable is not null)
            {
                _troubles.Add(ConnectionFaults.Of(ConnectionFaultKind.AdvertisedAddress, _troubles.Facts, unreachable));
                return false;
            }

            _troubles.Clear();
            _news.Over();
            return true;
        }
        catch (KafkaException failure) when (failure.Error.Code is ErrorCode.Local_Partial)
        {
            _troubles.Add(ConnectionFaults.Of(ConnectionFaultKind.NoBrokerNamed, _troubles.Facts));   // the client continues: it is the cluster that has to
            return false;
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

    /// <summary>The brokers of the cluster and these topics, in one request that creates no topic.</summary>
    /// <exception cref="KafkaException">No broker answered in time, or the answer names no brokers or not all of the topics.</exception>
    /// <exception cref="TimeoutException">The client did not even say that it timed out.</exception>
    /// <exception cref="ObjectDisposedException">The transport was disposed.</exception>
    public async Task<ClusterMetadata> MetadataAsync(IReadOnlyList<string> topics, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var answer = await WithClientAsync(client => AskAsync(client, topics, timeout, cancellationToken)).ConfigureAwait(false);
        return answer.Topics.Count == topics.Count
            ? answer
            : throw new KafkaException(
                new Error(ErrorCode.Local_Partial,
                    $"a broker answered, and did not say whether there is a topic "
                        + $"{topics.First(name => answer.Topics.All(topic => !string.Equals(topic.Name, name, StringComparison.Ordinal)))}"));
    }

    /// <summary>The cluster's id and the brokers that are up.</summary>
    /// <inheritdoc cref="MetadataAsync" path="/exception"/>
    public Task<ClusterMetadata> DescribeClusterAsync(TimeSpan timeout, CancellationToken cancellationToken) =>
        WithClientAsync(client => AskAsync(client, [NoTopic], timeout, cancellationToken));

    /// <summary>Starts a call and waits for its answer, a little longer than the client itself, which a call on a dying client never ends.</summary>
    /// <exception cref="KafkaException">The call failed, or the client died and the next one is not built yet.</exception>
    /// <exception cref="TimeoutException">The client did not even say that it timed out.</exception>
    /// <exception cref="ObjectDisposedException">The transport was disposed.</exception>
    public Task<T> CallAsync<T>(Func<IAdminClient, Task<T>> call, TimeSpan timeout, CancellationToken cancellationToken) => WithClientAsync(async client =>
    {
        Task<T> answer;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_closing is not null, this);
            answer = call(client.Client).Observe();
        }

        try
        {
            return await answer.WaitAsync(timeout + AnswerGrace, _time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            Retire(client);   // its thread may have ended
            throw;
        }
    });

    /// <summary>Closes the client on a thread of its own, and waits for that at most 3 s: on a hung broker it takes up to 44 s.</summary>
    public async ValueTask DisposeAsync()
    {
        Task closing;
        lock (_lock)
        {
            closing = _closing ??= Task.WhenAll(_retiring, _client is { } client ? CloseAsync(client) : Task.CompletedTask);
        }

        try
        {
            await closing.WaitAsync(CloseTimeout, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            TransportLog.AdminAbandoned(_logger, _clients.BootstrapServers, CloseTimeout.TotalSeconds);
        }

        _log.Complete();
    }

    // Confluent's client disposes itself when its poll loop throws. What it was asked then was never sent, and is asked of the next one.
    private async Task<T> WithClientAsync<T>(Func<AdminHandle, Task<T>> ask)
    {
        var client = Take();
        try
        {
            return await ask(client).ConfigureAwait(false);
        }
        catch (ObjectDisposedException death) when (Discard(client, death))
        {
            // asked again below
        }
        finally
        {
            client.Release();
        }

        client = Take();
        try
        {
            return await ask(client).ConfigureAwait(false);
        }
        catch (ObjectDisposedException death) when (Discard(client, death))
        {
            throw Dead(death);
        }
        finally
        {
            client.Release();
        }
    }

    private AdminHandle Take()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_closing is not null, this);
            if (_client is null)
            {
                if (_deaths.Wait > TimeSpan.Zero)
                {
                    throw Dead(null);
                }

                _client = new AdminHandle(Build(), _time.GetTimestamp());
            }

            _client.Acquire();
            return _client;
        }
    }

    private static KafkaException Dead(Exception? death) => new(new Error(ErrorCode.Local_Destroy, "the administration client died and is built again"), death);

    private async Task<ClusterMetadata> AskAsync(AdminHandle client, IReadOnlyList<string> topics, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var answer = Task.Factory.StartNew(() => LibrdkafkaMetadata.Ask(client.Client, topics, timeout), CancellationToken.None,
            TaskCreationOptions.LongRunning, TaskScheduler.Default).Observe();
        return await answer.WaitAsync(timeout + AnswerGrace, _time, cancellationToken).ConfigureAwait(false);
    }

    // False: the transport is being disposed, and its client with it.
    private bool Discard(AdminHandle client, ObjectDisposedException death)
    {
        lock (_lock)
        {
            if (_closing is not null)
            {
                return false;
            }

            if (ReferenceEquals(client, _client))
            {
                _client = null;
                _deaths.Add(client.Built);
                _tokens?.Remove(client.Client);
                TransportLog.AdminDied(_logger, _clients.BootstrapServers, death.Message, _deaths.Wait is { Ticks: > 0 } wait ? $"in {Duration.Text(wait)}"
                    : "at once");
            }

            return true;
        }
    }

    // A client that got no answer may hold on to connections over which none will come. A new one connects to whoever answers.
    // One at a time is closed, since that takes long on a hung broker.
    private void Retire(AdminHandle? client)
    {
        lock (_lock)
        {
            if (client is null || _closing is not null || !ReferenceEquals(client, _client) || !_retiring.IsCompleted)
            {
                return;
            }

            _client = null;
            _retiring = client.Idle().ContinueWith(_ => CloseAsync(client), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default)
                .Unwrap();
        }
    }

    private IAdminClient Build()
    {
        try
        {
            var configuration = _clients.Admin();
            if (!_clients.Options.ClientProperties.ContainsKey("reconnect.backoff.max.ms"))
            {
                // This one client knocks more often than the others: IsConnected must be true within 5 s of a broker's return.
                configuration.ReconnectBackoffMaxMs = Math.Max(ReconnectBackoffMaxMs, configuration.ReconnectBackoffMs ?? 0);
            }

            configuration.Set("allow.auto.create.topics", "false");   // looking never creates
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
            if (_news.IsDue(nameof(TransportLog.AdminNotBuilt)))
            {
                TransportLog.AdminNotBuilt(
                    _logger, BrokerList.Describe(_clients.BootstrapServers), _secrets.Hide($"{failure.GetType().Name}: {failure.Message}"));
            }

            throw;
        }
    }

    private Task CloseAsync(AdminHandle client) => Task.Factory.StartNew(
        () =>
        {
            _tokens?.Remove(client.Client);
            try
            {
                client.Client.Dispose();
            }
            catch (Exception failure)
            {
                if (_news.IsDue(nameof(TransportLog.AdminCloseFailed)))
                {
                    TransportLog.AdminCloseFailed(_logger, failure, _clients.BootstrapServers);
                }
            }
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

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
        catch (Exception failure) when (failure is IOException or SocketException or AuthenticationException or CryptographicException
            or OperationCanceledException or UnauthorizedAccessException)
        {
            TransportLog.CertificateNotSeen(_logger, broker ?? "", failure.Message);   // what the client said has to do
        }
        finally
        {
            Volatile.Write(ref _looking, 0);
        }
    }
}
