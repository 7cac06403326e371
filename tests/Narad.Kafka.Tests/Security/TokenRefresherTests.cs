using System.Collections.Concurrent;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Security;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Security;

/// <summary>When a source is asked, who gets its tokens, and what becomes of its failures; on a clock that the test moves.</summary>
[Trait("Promise", "S29")]
public sealed class TokenRefresherTests : IAsyncDisposable
{
    private const string Secret = "top-secret-token";

    private readonly ManualTime _time = new();
    private readonly LogEvents _log = new();
    private readonly ConcurrentQueue<(IClient Client, OAuthBearerToken Token)> _given = new();
    private readonly ConcurrentQueue<(IClient Client, string Reason)> _refused = new();
    private readonly FakeClient _client = new();
    private TokenRefresher? _refresher;
    private int _asked;
    private int _naps;

    public static TheoryData<string, OAuthBearerToken?, string> Unusable => new()
    {
        { "null", null, "null instead of a token" },
        { "empty", new OAuthBearerToken("", DateTimeOffset.MaxValue, "me"), "an empty token" },
        { "with a line break", new OAuthBearerToken($"{Secret}\n", DateTimeOffset.MaxValue, "me"), $"character {Secret.Length + 1}" },
        { "not ASCII", new OAuthBearerToken("é", DateTimeOffset.MaxValue, "me"), "not ASCII" },
        { "expired", new OAuthBearerToken(Secret, DateTimeOffset.UnixEpoch, "me"), "expired at 1970-01-01 00:00:00Z" },
        { "without a principal", new OAuthBearerToken(Secret, DateTimeOffset.MaxValue, null!), "principal" },
        { "extension's name",
            new OAuthBearerToken(Secret, DateTimeOffset.MaxValue, "me") { Extensions = new Dictionary<string, string> { ["logical_cluster"] = Secret } },
            "'logical_cluster'" },
        { "extension named auth",
            new OAuthBearerToken(Secret, DateTimeOffset.MaxValue, "me") { Extensions = new Dictionary<string, string> { ["auth"] = Secret } }, "'auth'" },
        { "extension's value",
            new OAuthBearerToken(Secret, DateTimeOffset.MaxValue, "me") { Extensions = new Dictionary<string, string> { ["pool"] = $"{Secret}\0" } },
            "'pool'" },
        { "null extensions", new OAuthBearerToken(Secret, DateTimeOffset.MaxValue, "me") { Extensions = null! }, "extensions" },
    };

    [Fact]
    public async Task A_token_goes_to_every_client_and_is_renewed_when_80_percent_of_its_life_have_passed()
    {
        var other = new FakeClient();
        var refresher = Refresher(_ => new ValueTask<OAuthBearerToken>(Token($"t{_asked}", seconds: 10)));
        refresher.Add(_client);
        await NappingAsync(asked: 1);
        refresher.Add(other);

        NapsFor(seconds: 8);
        Advance(seconds: 8);
        await NappingAsync(asked: 2);

        Given(_client).Should().Equal("t1", "t2");
        Given(other).Should().Equal("t1", "t2");
        refresher.HasToken.Should().BeTrue();
        refresher.Trouble.Should().BeNull();
        refresher.ExpiresAt.Should().Be(DateTimeOffset.UnixEpoch.AddSeconds(18));
    }

    [Fact]
    public async Task A_long_life_is_waited_for_in_pieces_so_that_a_machine_that_slept_finds_out_soon()
    {
        var refresher = Refresher(_ => new ValueTask<OAuthBearerToken>(Token("t", seconds: 100)));
        refresher.Add(_client);
        await NappingAsync(asked: 1);
        foreach (var piece in (int[])[30, 30])
        {
            NapsFor(piece);
            Advance(piece);
            await NappingAsync(asked: 1);
        }

        NapsFor(seconds: 20);
        Advance(seconds: 20);
        await NappingAsync(asked: 2);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task A_token_is_renewed_in_time_although_the_wall_clock_is_put_back_or_forward(int hours)
    {
        var refresher = Refresher(_ => new ValueTask<OAuthBearerToken>(new OAuthBearerToken($"t{_asked}", _time.GetUtcNow().AddSeconds(10), "me")));
        refresher.Add(_client);
        await NappingAsync(asked: 1);
        _time.Advance(TimeSpan.FromHours(2));   // a clock that was never moved could not be put back
        await NappingAsync(asked: 2);

        _time.StepWallClock(TimeSpan.FromHours(hours));
        Advance(seconds: 8);
        await NappingAsync(asked: 3);
        Given(_client).Should().Equal("t1", "t2", "t3");
    }

    [Fact]
    public async Task A_client_that_is_closed_gets_nothing_more()
    {
        var other = new FakeClient();
        var refresher = Refresher(_ => new ValueTask<OAuthBearerToken>(Token($"t{_asked}", seconds: 10)));
        refresher.Add(_client);
        refresher.Add(other);
        await NappingAsync(asked: 1);
        refresher.Remove(_client);
        Advance(seconds: 8);
        await NappingAsync(asked: 2);

        Given(_client).Should().Equal("t1");
        Given(other).Should().Equal("t1", "t2");
    }

    [Theory]
    [MemberData(nameof(Unusable))]
    public async Task A_token_that_cannot_be_used_is_reported_without_it(string what, OAuthBearerToken? token, string words)
    {
        var refresher = Refresher(_ => new ValueTask<OAuthBearerToken>(token!));
        refresher.Add(_client);
        await NappingAsync(asked: 1);

        _given.Should().BeEmpty("of {0}", what);
        _refused.Should().ContainSingle().Which.Reason.Should().Contain(words).And.NotContain(Secret);
        refresher.Trouble.Should().Contain(words).And.NotContain(Secret);
        refresher.LoginTrouble.Should().Contain(words);
        var reported = _log.The(9001);
        reported.Level.Should().Be(LogLevel.Error);
        reported.Message.Should().Contain(words).And.Contain("no client can log in").And.NotContain(Secret);
    }

    [Fact]
    public async Task A_source_that_throws_is_asked_again_ever_more_rarely_and_each_kind_of_failure_is_logged_once_until_it_works_again()
    {
        var works = false;
        var refresher = Refresher(
            _ => works ? new ValueTask<OAuthBearerToken>(Token("t", seconds: 3600))
            : throw new InvalidOperationException("The vault is sealed.", new TimeoutException("No answer.")));
        refresher.Add(_client);
        var asked = 1;
        await NappingAsync(asked);
        foreach (var wait in (int[])[1, 2, 4, 8, 16, 30, 30])
        {
            NapsFor(wait);
            Advance(wait);
            await NappingAsync(++asked);
        }

        _refused.Should().HaveCount(asked);
        refresher.Trouble.Should().Be("it threw InvalidOperationException: The vault is sealed. ← TimeoutException: No answer");
        _log.The(9001).Message.Should().Contain("The vault is sealed");
        works = true;
        Advance(seconds: 30);
        await NappingAsync(++asked);

        refresher.Trouble.Should().BeNull();
        Given(_client).Should().Equal("t");
        _log.Count(9002).Should().Be(1);
    }

    [Fact]
    public async Task A_client_that_is_built_while_the_source_fails_is_told_so_at_once()
    {
        var refresher = Refresher(_ => throw new InvalidOperationException("The vault is sealed."));
        refresher.Add(_client);
        await NappingAsync(asked: 1);
        var other = new FakeClient();
        refresher.Add(other);

        _refused.Where(told => told.Client == other).Should().ContainSingle().Which.Reason.Should().Contain("The vault is sealed");
    }

    [Fact]
    public async Task A_failed_renewal_leaves_the_clients_the_token_that_they_have_and_is_repeated_before_it_expires()
    {
        var refresher = Refresher(
            _ => _asked == 2 ? throw new InvalidOperationException("Busy.") : new ValueTask<OAuthBearerToken>(Token($"t{_asked}", seconds: 10)));
        refresher.Add(_client);
        await NappingAsync(asked: 1);
        Advance(seconds: 8);
        await NappingAsync(asked: 2);

        refresher.Trouble.Should().Contain("Busy");
        refresher.HasToken.Should().BeTrue();
        refresher.LoginTrouble.Should().BeNull("clients can still log in");
        _log.The(9001).Message.Should().Contain("good until 1970-01-01 00:00:10Z");
        Advance(seconds: 1);
        await NappingAsync(asked: 3);
        Given(_client).Should().Equal("t1", "t3");
        refresher.Trouble.Should().BeNull();
    }

    [Fact]
    public async Task A_source_that_hangs_is_given_up_and_asked_again()
    {
        var cancelled = new TaskCompletionSource();
        var refresher = Refresher(async token =>
        {
            if (_asked > 1)
            {
                return Token("t2", seconds: 10);
            }

            token.Register(cancelled.SetResult);
            return await new TaskCompletionSource<OAuthBearerToken>().Task;
        });
        refresher.Add(_client);
        await Waiting.Until(() => _asked == 1 && _time.Timers == 1, "it is asked");
        refresher.Trouble.Should().BeNull("nobody is slow who was asked just now");
        Advance(seconds: 1.001);
        refresher.Trouble.Should().Be("it has not answered yet");
        Advance(seconds: 29);

        await cancelled.Task.WaitAsync(Waiting.Deadline);
        await NappingAsync(asked: 1);
        refresher.Trouble.Should().Be("it has not answered within 30 s");
        Advance(seconds: 1);
        await NappingAsync(asked: 2);
        Given(_client).Should().Equal("t2");
    }

    [Fact]
    public async Task A_source_that_blocks_its_thread_holds_up_neither_who_builds_a_client_nor_the_end()
    {
        using var release = new ManualResetEventSlim();
        var refresher = Refresher(_ =>
        {
            release.Wait();
            return new ValueTask<OAuthBearerToken>(Token("t", seconds: 10));
        });
        refresher.Add(_client);
        await Waiting.Until(() => _asked == 1, "it is asked");

        await refresher.DisposeAsync().AsTask().WaitAsync(Waiting.Deadline);
        release.Set();
        _given.Should().BeEmpty();
        _log.Count(9001).Should().Be(0, "nobody wants to know any more");
    }

    [Fact]
    public async Task A_source_that_returns_the_same_token_up_to_its_end_is_not_asked_in_a_loop()
    {
        var token = Token("t", seconds: 10);
        var refresher = Refresher(_ => new ValueTask<OAuthBearerToken>(token));
        refresher.Add(_client);
        await NappingAsync(asked: 1);
        Advance(seconds: 8);
        await NappingAsync(asked: 2);
        Advance(seconds: 1.6);
        await NappingAsync(asked: 3);
        NapsFor(seconds: 1);
        Advance(seconds: 1);
        await NappingAsync(asked: 4);
        refresher.LoginTrouble.Should().Contain("expired");
    }

    [Fact]
    public async Task A_client_that_refuses_a_token_is_reported_in_other_words_than_its_own()
    {
        var refresher = Refresher(_ => new ValueTask<OAuthBearerToken>(Token(Secret, seconds: 10)),
            (_, _) => throw new KafkaException(new Error(ErrorCode.Local_InvalidArg, $"malformed: {Secret}")));
        refresher.Add(_client);
        await NappingAsync(asked: 1);

        refresher.Trouble.Should().Contain("Local_InvalidArg");
        _log.All.Should().NotContain(line => line.Message.Contains(Secret));
        Advance(seconds: 1);
        await NappingAsync(asked: 2);
    }

    [Fact]
    [Trait("Promise", "S30")]
    public async Task A_token_is_in_no_text_not_even_where_the_source_itself_writes_it_into_its_exception()
    {
        var refresher = Refresher(
            _ => _asked == 1 ? new ValueTask<OAuthBearerToken>(Token(Secret, seconds: 10))
            : throw new InvalidOperationException($"Still have {Secret}.", new ArgumentException(Secret)));
        refresher.Add(_client);
        await NappingAsync(asked: 1);
        Advance(seconds: 8);
        await NappingAsync(asked: 2);

        refresher.Trouble.Should().Contain("Still have …").And.NotContain(Secret);
        _log.All.Should().NotContain(line => line.Message.Contains(Secret) || $"{line.Error}".Contains(Secret));
        _refused.Should().NotContain(told => told.Reason.Contains(Secret));
        Token(Secret, seconds: 10).ToString().Should().Be("Token of 'me', good until 1970-01-01 00:00:18Z");
    }

    public async ValueTask DisposeAsync()
    {
        if (_refresher is { } refresher)
        {
            await refresher.DisposeAsync();
        }
    }

    private TokenRefresher Refresher(OAuthBearerTokenProvider source, Action<IClient, OAuthBearerToken>? give = null) => _refresher = new TokenRefresher(
        token =>
        {
            Interlocked.Increment(ref _asked);
            return source(token);
        },
        "narad",
        new KafkaDiagnostics(_log, _time),
        give ?? ((client, token) => _given.Enqueue((client, token))),
        (client, reason) => _refused.Enqueue((client, reason)));

    private OAuthBearerToken Token(string value, double seconds) => new(value, _time.GetUtcNow().AddSeconds(seconds), "me");

    private IEnumerable<string> Given(IClient client) => _given.Where(given => given.Client == client).Select(given => given.Token.Value);

    // What was asked was dealt with, and the refresher waits for what comes next: once after each time that its time was up.
    private Task NappingAsync(int asked)
    {
        var naps = ++_naps;
        return Waiting.Until(() => _asked == asked && _refresher!.Naps == naps, $"question {asked} was dealt with");
    }

    private void NapsFor(double seconds) => _time.HasTimerAt(_time.GetUtcNow().AddSeconds(seconds)).Should().BeTrue("it waits for {0} s", seconds);

    private void Advance(double seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));
}
