namespace Narad.Samples.Tests.Chat;

/// <summary>
/// Instances and consumer as processes, killed and started again while clients send all the time: in the end every client shows the same list.
/// </summary>
public sealed class KillTests
{
    [Fact]
    public async Task Every_client_ends_with_the_same_list_when_an_instance_is_killed()
    {
        await using var run = new ChatRun();
        await run.StartAsync(clients: 6);
        var sending = run.SendAsync(messages: 300);

        await run.ShownAsync(60);
        await run.Servers[1].KillAsync();
        await run.ShownAsync(200);
        await sending;

        await run.FinishAsync(300);
    }
}
