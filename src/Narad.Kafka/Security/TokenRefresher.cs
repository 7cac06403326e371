using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Security;

/// <summary>
/// Asks the service's token source and hands each token to all of the service's clients: to those that are there, and at once to each that is built later. It
/// never waits for a client to ask: a consumer's asks only while it is polled, and a handler that fails is not asked again.
/// </summary>
/// <remarks>
/// Thread-safe. The source runs on the thread pool and can hold nothing up. A client is added right after it was built and removed before it is closed: tokens
/// are handed over under the lock, so none is handed to a client that is being freed. Handing over takes microseconds.
/// </remarks>
internal sealed class TokenRefresher : IAsyncDisposable
{
    internal const double RenewAfter = 0.8;   // of a token's life
    private const int LongestWords = 500;

    // A source that blocks holds a thread in each call that was given up.
    internal const int MostHanging = 3;

    internal static readonly TimeSpan SourceTimeout = TimeSpan.FromSeconds(30);
    internal static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    internal static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);
    internal static readonly TimeSpan ShortestRenewal = TimeSpan.FromSeconds(1);   // a source that returns the same token up to its end is not asked in a loop

    // Until then nobody calls a source slow that was asked for the first time.
    private static readonly TimeSpan AnswerGrace = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan AfterFailing = TimeSpan.FromSeconds(2);

    // Waits are cut so that a machine that slept finds its token expired soon after it woke up; and the longest that a timer takes is 49 days.
    private static readonly TimeSpan LongestNap = TimeSpan.FromSeconds(30);

    private readonly OAuthBearerTokenProvider _source;
    private readonly string _clientId;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Action<IClient, OAuthBearerToken> _give;
    private readonly Action<IClient, string> _refuse;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();

    // Under _lock.
    private readonly HashSet<IClient> _clients = new(ReferenceEqualityComparer.Instance);
    private Task? _refreshing;
    private bool _ended;
    private OAuthBearerToken? _token;
    private string? _trouble;
    private long? _askedAt;   // null: it is not being asked
    private long _goodSince;

    private int _naps;

    // Calls that were given up and have not returned yet; the background task's alone.
    private readonly List<Task> _hanging = [];

    public TokenRefresher(OAuthBearerTokenProvider source, string clientId, KafkaDiagnostics diagnostics, Action<IClient, OAuthBearerToken>? give = null,
        Action<IClient, string>? refuse = null)
    {
        _source = source;
        _clientId = clientId;
        _time = diagnostics.Time;
        _logger = diagnostics.Logger<TokenRefresher>();
        _give = give ?? Give;
        _refuse = refuse ?? Refuse;
    }

    /// <summary>Why the latest token could not be had, or has not come yet; null while all is well.</summary>
    public string? Trouble
    {
        get
        {
            lock (_lock)
            {
                return _trouble ?? (_token is null && _askedAt is { } asked && _time.GetElapsedTime(asked) > AnswerGrace ? "it has not answered yet" : null);
            }
        }
    }

    /// <summary>When the latest token expires, or did; null while there is none.</summary>
    public DateTimeOffset? ExpiresAt
    {
        get
        {
            lock (_lock)
            {
                return _token?.ExpiresAt;
            }
        }
    }

    /// <summary>Whether the clients have a token that has not expired.</summary>
    public bool HasToken
    {
        get
        {
            lock (_lock)
            {
                return IsGood(_token);
            }
        }
    }

    /// <summary>
    /// Whether the source fails, or did a moment ago: what brokers say of logins follows from that, and what a connection of before comes to is told late.
    /// </summary>
    public bool IsInTrouble
    {
        get
        {
            lock (_lock)
            {
                return IsFailing || _time.GetElapsedTime(_goodSince) < AfterFailing;
            }
        }
    }

    /// <summary>How many waits for the next question began, for tests that move the clock.</summary>
    internal int Naps => Volatile.Read(ref _naps);

    /// <summary>Why clients cannot log in, for error messages; null where it is not for want of a token.</summary>
    public string? LoginTrouble => !HasToken && Trouble is { } trouble ? $"there is no token: the token source failed: {trouble}" : null;

    /// <summary>The token refresher of a service; null where nothing needs tokens, or the client gets them itself.</summary>
    public static TokenRefresher? For(KafkaOptions options, KafkaDiagnostics diagnostics)
    {
        if (!SaslMechanisms.MakesTokens(options.Sasl.Mechanism))
        {
            return null;
        }

        var source = options.Sasl.TokenProvider ?? (options.Sasl.Oidc is { } oidc ? new OidcTokenProvider(oidc, time: diagnostics.Time).GetAsync : null);
        return source is null ? null : new TokenRefresher(source, options.ClientId, diagnostics);
    }

    /// <summary>
    /// Hands the client every token from now on; the first client makes it ask for the first. Called right after the client was built, from any thread.
    /// </summary>
    public void Add(IClient client)
    {
        lock (_lock)
        {
            if (_ended)
            {
                return;   // the client is about to be closed too
            }

            _clients.Add(client);
            if (IsGood(_token))
            {
                _trouble = Hand(client, _token!) ?? _trouble;
            }
            else if (_trouble is { } trouble)
            {
                Tell(client, trouble);
            }

            if (_refreshing is null)
            {
                // Whoever connects first must not have all later tokens among its traces.
                using (ExecutionContext.SuppressFlow())
                {
                    _refreshing = Task.Run(RefreshInBackgroundAsync);
                }
            }
        }
    }

    /// <summary>Hands the client nothing more. Called before the client is closed, from any thread; once it returned the client is not used any more.</summary>
    public void Remove(IClient client)
    {
        lock (_lock)
        {
            _clients.Remove(client);
        }
    }

    /// <summary>Ends the asking; what the source still does is not waited for.</summary>
    public async ValueTask DisposeAsync()
    {
        Task? refreshing;
        lock (_lock)
        {
            _ended = true;
            _clients.Clear();
            refreshing = _refreshing;
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        if (refreshing is not null)
        {
            await refreshing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static void Give(IClient client, OAuthBearerToken token) =>
        client.OAuthBearerSetToken(
            token.Value, token.ExpiresAt.ToUnixTimeMilliseconds(), token.Principal, token.Extensions.ToDictionary(StringComparer.Ordinal));

    private static void Refuse(IClient client, string reason) => client.OAuthBearerSetTokenFailure(reason);

    private async Task RefreshInBackgroundAsync()
    {
        var retry = FirstRetry;
        var reported = new HashSet<string>(StringComparer.Ordinal);   // since it last worked
        while (!_stopping.IsCancellationRequested)
        {
            var (token, failure) = await AskAsync().ConfigureAwait(false);
            if (_stopping.IsCancellationRequested)
            {
                return;
            }

            failure = failure is null ? Take(token!) : TellAll(failure.Value);
            if (failure is { } failed)
            {
                if (reported.Add(failed.Kind))
                {
                    SecurityLog.SourceFailed(_logger, _clientId, failed.Reason, TokenState(), Duration.Text(retry), Duration.Text(LongestRetry));
                }

                await NapAsync(retry).ConfigureAwait(false);
                retry = retry * 2 < LongestRetry ? retry * 2 : LongestRetry;
                continue;
            }

            if (reported.Count > 0)
            {
                SecurityLog.SourceWorksAgain(_logger, _clientId, token!.ExpiresAt);
                reported.Clear();
            }

            retry = FirstRetry;
            var life = (token!.ExpiresAt - _time.GetUtcNow()) * RenewAfter;
            await NapAsync(life > ShortestRenewal ? life : ShortestRenewal).ConfigureAwait(false);
        }
    }

    private async Task<(OAuthBearerToken? Token, Failure? Failure)> AskAsync()
    {
        lock (_lock)
        {
            _askedAt = _time.GetTimestamp();
        }

        _hanging.RemoveAll(static call => call.IsCompleted);
        if (_hanging.Count >= MostHanging)
        {
            return (null, new Failure(nameof(TokenError.Hung), $"{MostHanging} calls of it have not returned: it is not asked again before one of them does"));
        }

        var given = new CancellationTokenSource();
        var asked = Task.Run(() => _source(given.Token).AsTask());
        try
        {
            var token = await asked.WaitAsync(SourceTimeout, _time, _stopping.Token).ConfigureAwait(false);
            return TokenRules.Error(token, _time.GetUtcNow()) is var (kind, reason) ? (null, new Failure(kind.ToString(), reason)) : (token, null);
        }
        catch (Exception) when (!asked.IsCompleted)
        {
            // Too late, or nobody wants it any more. What the source does about it is its own affair and thread.
            _hanging.Add(asked);
            given.CancelAsync().ContinueWith(static cancelled => _ = cancelled.Exception, TaskScheduler.Default).Forget();
            return (null, new Failure(nameof(TokenError.Hung), $"it has not answered within {Duration.Text(SourceTimeout)}"));
        }
        catch (Exception error)
        {
            return (null, new Failure($"{nameof(TokenError.Threw)} {error.GetType()}", Words(error)));
        }
        finally
        {
            asked.ContinueWith(
                static (done, source) =>
                {
                    _ = done.Exception;
                    ((CancellationTokenSource)source!).Dispose();
                },
                given,
                TaskScheduler.Default).Forget();
        }
    }

    private Failure? Take(OAuthBearerToken token)
    {
        int clients;
        lock (_lock)
        {
            _askedAt = null;
            _goodSince = IsFailing ? _time.GetTimestamp() : _goodSince;
            _token = token;
            _trouble = null;
            clients = _clients.Count;
            foreach (var client in _clients)
            {
                _trouble = Hand(client, token) ?? _trouble;
            }

            if (_trouble is { } refused)
            {
                return new Failure(nameof(TokenError.Refused), refused);
            }
        }

        SecurityLog.Renewed(_logger, token.Principal, token.ExpiresAt, clients);
        return null;
    }

    // The client's own words may contain the token.
    private string? Hand(IClient client, OAuthBearerToken token)
    {
        try
        {
            _give(client, token);
            return null;
        }
        catch (Exception error) when (error is KafkaException or InvalidOperationException or ArgumentException)
        {
            return $"the Kafka client refused the token ({(error is KafkaException kafka ? kafka.Error.Code.ToString() : error.GetType().Name)})";
        }
    }

    private Failure TellAll(Failure failure)
    {
        lock (_lock)
        {
            _askedAt = null;
            _trouble = failure.Reason;
            foreach (var client in _clients)
            {
                Tell(client, failure.Reason);
            }
        }

        return failure;
    }

    // It makes the client say so through its error handler, wherever that leads; that it has the token of before it knows.
    private void Tell(IClient client, string reason)
    {
        try
        {
            _refuse(client, $"the token source failed: {reason}");
        }
        catch (Exception error) when (error is KafkaException or InvalidOperationException)
        {
            SecurityLog.ClientNotTold(_logger, client.Name, error.GetType().Name);
        }
    }

    private string TokenState()
    {
        lock (_lock)
        {
            return IsGood(_token) ? $"The token in use is good until {_token!.ExpiresAt.UtcDateTime:u}." : "There is no token, so no client can log in.";
        }
    }

    private string Words(Exception error)
    {
        OAuthBearerToken? token;
        lock (_lock)
        {
            token = _token;
        }

        // Our own sources say what, where and why.
        var words = $"{(error is OAuthBearerTokenException ? "" : $"it threw {error.GetType().Name}: ")}{error.Message.ReplaceLineEndings(" ")}";
        for (var cause = error.InnerException; cause is not null; cause = cause.InnerException)
        {
            if (!words.Contains(cause.Message, StringComparison.Ordinal))
            {
                words += $" ← {cause.GetType().Name}: {cause.Message.ReplaceLineEndings(" ")}";
            }
        }

        words = (token is null ? SecretHiding.None : SecretHiding.Of(token.Value)).Hide(words);
        return (words.Length > LongestWords ? words[..LongestWords] + "…" : words).TrimEnd('.');
    }

    private bool IsFailing => _trouble is not null || !IsGood(_token);

    private bool IsGood(OAuthBearerToken? token) => token?.ExpiresAt > _time.GetUtcNow();

    // The shorter of what the wall clock says, which a suspended host moves on, and what elapsed, which a clock that is put back does not.
    private async Task NapAsync(TimeSpan time)
    {
        var longest = time < TimeSpan.FromDays(365) ? time : TimeSpan.FromDays(365);
        var until = _time.GetUtcNow() + longest;
        var began = _time.GetTimestamp();
        TimeSpan Left()
        {
            var (byWall, byElapsed) = (until - _time.GetUtcNow(), longest - _time.GetElapsedTime(began));
            return byWall < byElapsed ? byWall : byElapsed;
        }

        try
        {
            for (var left = longest; left > TimeSpan.Zero; left = Left())
            {
                var nap = Task.Delay(left < LongestNap ? left : LongestNap, _time, _stopping.Token);
                Interlocked.Increment(ref _naps);
                await nap.ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // Whoever called looks.
        }
    }

    private readonly record struct Failure(string Kind, string Reason);
}
