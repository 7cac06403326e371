using System.Globalization;
using System.Net;
using Confluent.SchemaRegistry;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// Asks the registry, and tells an answer of the registry ("there is no such schema") from everything else (no connection, no answer in time, an error of a
/// server or a proxy, a refused
/// login), which is a <see cref="SerializationUnavailableException"/>. Thread-safe.
/// </summary>
/// <remarks>
/// One request at a time: while a registry hangs, one request waits for it. After a failure all callers get that failure until
/// <see cref="SchemaRegistryOptions.RetryDelay"/> has passed.
/// </remarks>
internal sealed class RegistryConnection : IDisposable
{
    private static readonly int[] NotFound = [40401, 40402, 40403];

    // The client ends a request at its time limit; this ends the waiting where it does not.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private readonly SchemaRegistryOptions _options;
    private readonly TimeProvider _time;
    private readonly RegistryCredentials _credentials;
    private readonly Lazy<ISchemaRegistryClient> _client;
    private readonly int _addresses;
    private readonly SemaphoreSlim _asking = new(1, 1);

    // Under _asking.
    private SerializationUnavailableException? _outage;
    private long _failedAt;

    public RegistryConnection(SchemaRegistryOptions options, KafkaOptions? kafka, TimeProvider time)
    {
        _options = options;
        _time = time;
        _credentials = new RegistryCredentials(options, kafka, time);
        _client = new(Connect);
        Address = RegistryAddress.Shown(options.Url);
        _addresses = Math.Max(1, RegistryAddress.Split(options.Url).Length);
    }

    /// <summary>The registry's address for people.</summary>
    public string Address { get; }

    /// <summary>The client. It throws what it likes: see <see cref="AskAsync"/>.</summary>
    public ISchemaRegistryClient Client => _client.Value;

    /// <summary>Whether an error is the registry's answer that what was asked for does not exist.</summary>
    public static bool IsNotFound(Exception error) => error is SchemaRegistryException { Status: HttpStatusCode.NotFound } answer
        && NotFound.Contains(answer.ErrorCode);

    /// <summary>Whether an error is the registry's answer that it does not accept a schema.</summary>
    public static bool IsRefusal(Exception error) => error is SchemaRegistryException { Status: HttpStatusCode.Conflict or HttpStatusCode.UnprocessableEntity };

    /// <summary>Asks the registry.</summary>
    /// <param name="ask">One request.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <exception cref="UnknownSchemaException">From <paramref name="ask"/>.</exception>
    /// <exception cref="SchemaRegistryException">The registry answered no: see <see cref="IsNotFound"/> and <see cref="IsRefusal"/>.</exception>
    /// <exception cref="SerializationUnavailableException">There was no answer of a registry.</exception>
    public async Task<T> AskAsync<T>(Func<ISchemaRegistryClient, Task<T>> ask, CancellationToken cancellationToken)
    {
        await _asking.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_outage is { } known && _time.GetElapsedTime(_failedAt) < _options.RetryDelay)
            {
                throw new SerializationUnavailableException(known.Message, _options.RetryDelay, known.InnerException);
            }

            await _credentials.PrepareAsync(cancellationToken).ConfigureAwait(false);
            var answer = await ask(Client).WaitAsync((_options.Timeout * _addresses) + Grace, cancellationToken).ConfigureAwait(false);
            _outage = null;
            return answer;
        }
        catch (Exception error) when (IsNotFound(error) || IsRefusal(error) || error is UnknownSchemaException)
        {
            _outage = null;
            throw;
        }
        catch (Exception error) when (error is not SerializationUnavailableException && !cancellationToken.IsCancellationRequested)
        {
            _outage = Explain(error);
            _failedAt = _time.GetTimestamp();
            throw _outage;
        }
        finally
        {
            _asking.Release();
        }
    }

    public void Dispose()
    {
        if (_client.IsValueCreated)
        {
            _client.Value.Dispose();
        }

        _credentials.Dispose();
        _asking.Dispose();
    }

    // What a failed request means.
    private SerializationUnavailableException Explain(Exception error) => new($"The schema registry {Address} {Words(error)}.", _options.RetryDelay, error);

    private string Words(Exception error) => error switch
    {
        SchemaRegistryException { Status: HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden } answer =>
            string.Create(CultureInfo.InvariantCulture,
                $"refused the login ({(int)answer.Status} {answer.Status}): check its credentials in Kafka:SchemaRegistry"),
        SchemaRegistryException { Status: HttpStatusCode.NotFound } =>
            "answered 404 NotFound without a registry's error code: check the path in Kafka:SchemaRegistry:Url",
        SchemaRegistryException answer => string.Create(CultureInfo.InvariantCulture, $"answered {(int)answer.Status} {answer.Status}"),
        OAuthBearerTokenException token => $"was not asked, because there is no token: {token.Message.TrimEnd('.')}",
        _ when error is TimeoutException || IsTimeout(error) =>
            string.Create(CultureInfo.InvariantCulture, $"did not answer within {_options.Timeout.TotalSeconds:0.###} s"),
        HttpRequestException { StatusCode: { } status } => string.Create(CultureInfo.InvariantCulture, $"answered {(int)status} {status}"),
        HttpRequestException => $"could not be reached ({error.GetBaseException().Message.TrimEnd('.')})",
        _ => "answered with something that is not a schema registry's JSON: check that Kafka:SchemaRegistry:Url is its address",
    };

    private static bool IsTimeout(Exception? error) => error is not null
        && (error is TaskCanceledException or TimeoutException || IsTimeout(error.InnerException));

    private ISchemaRegistryClient Connect() => RegistryAddress.IsMemory(_options.Url)
        ? MemoryRegistryClient.Shared
        : new HttpRegistryClient(
            _options, _options.Oidc is { LogicalCluster: not null } oidc ? new ConfluentCloudCredentials(_credentials, oidc) : _credentials);
}
