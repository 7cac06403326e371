namespace Narad.Kafka.Mongo.Tests;

/// <summary>Calls that come at once are one request.</summary>
public sealed class SharedRequestTests
{
    [Fact]
    public async Task Calls_that_come_while_a_request_is_on_its_way_share_the_next_one_and_each_has_its_own_answer()
    {
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var sizes = new List<int>();
        var shared = new SharedRequest<int, int>(
            async calls =>
            {
                sizes.Add(calls.Count);
                begun.TrySetResult();
                await open.Task;
                return [.. calls.Select(static call => call * 10)];
            });
        var first = shared.CallAsync(0, CancellationToken.None);
        await begun.Task;
        var others = Enumerable.Range(1, 6).Select(call => shared.CallAsync(call, CancellationToken.None)).ToList();
        using var given = new CancellationTokenSource();
        var cancelled = shared.CallAsync(7, given.Token);
        await given.CancelAsync();
        open.SetResult();

        (await first).Should().Be(0);
        (await Task.WhenAll(others)).Should().Equal(10, 20, 30, 40, 50, 60);
        await cancelled.Invoking(static call => call).Should().ThrowAsync<OperationCanceledException>();
        (await shared.CallAsync(8, CancellationToken.None)).Should().Be(80, "the next request is made");
        sizes.Should().Equal(1, 7, 1);
    }

    [Fact]
    public async Task A_request_that_fails_fails_its_calls_and_the_next_one_is_made()
    {
        var fails = true;
        var shared = new SharedRequest<int, int>(calls => Volatile.Read(ref fails) ? throw new InvalidDataException()
            : Task.FromResult<IReadOnlyList<int>>([.. calls]));
        var calls = Enumerable.Range(0, 3).Select(call => shared.CallAsync(call, CancellationToken.None)).ToList();
        foreach (var call in calls)
        {
            await call.Invoking(static one => one).Should().ThrowAsync<InvalidDataException>();
        }

        Volatile.Write(ref fails, false);
        (await shared.CallAsync(4, CancellationToken.None)).Should().Be(4);
    }
}
