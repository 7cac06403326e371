using Narad.Samples.Tests.Browser;
using Notifications;

namespace Narad.Samples.Tests.Notifications;

/// <summary>Server instances as processes that are killed between Kafka, storage and socket: nothing is lost, and nothing is shown twice.</summary>
public sealed class KilledServersTests
{
    [SkippableFact]
    public async Task One_server_is_killed_and_started_again_in_the_middle()
    {
        await using var run = new Run(new ServerProcesses("NARAD_TEST_MONGODB", onKafka: false, instances: 1));
        await run.Servers.StartAsync(0);
        run.Connect();
        run.Send(ids: 60);
        await run.ShownAsync(20);

        await run.Servers.KillAsync(0);
        await run.Servers.StartAsync(0);

        await run.FinishAsync();
    }

    [SkippableTheory]
    [InlineData("NARAD_TEST_MONGODB", false)]
    [InlineData("NARAD_TEST_MONGODB_REPLICA_SET", true)]
    [Narad.Kafka.Shared.Long]
    public async Task Two_servers_are_killed_in_turn_and_the_database_is_away_for_a_while(string database, bool onKafka)
    {
        Skip.If(string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NARAD_TEST_KILLS")), "NARAD_TEST_KILLS is not set.");
        await using var run = new Run(new ServerProcesses(database, onKafka, instances: 2));
        await run.Servers.StartAsync(0);
        await run.Servers.StartAsync(1);
        run.Connect();
        run.Send(ids: 600);

        for (var round = 0; round < 6; round++)
        {
            await run.ShownAsync(80 * (round + 1));
            await run.Servers.KillAsync(round % 2);
            await run.Servers.StartAsync(round % 2);
            if (round == 3)
            {
                run.Servers.Database.Cut();
                await Task.Delay(TimeSpan.FromSeconds(3));   // an outage takes time
                run.Servers.Database.Restore();
            }
        }

        await run.FinishAsync();
    }

    [SkippableFact]
    public async Task The_page_connects_again_and_shows_each_notification_once()
    {
        await using var servers = new ServerProcesses("NARAD_TEST_MONGODB", onKafka: false, instances: 1);
        await servers.StartAsync(0);
        await using var browser = await Chromium.OpenAsync(new Uri(servers.Urls[0], "/?userId=user1"));
        var panel = PageTests.Panel(browser.Page, "user1");
        await browser.SeesAsync("There is no token.");
        await panel.GetByLabel("Token").FillAsync(ServerProcesses.Token("user1"));
        await browser.Page.Keyboard.PressAsync("Enter");
        await panel.GetByText("connected", new() { Exact = true }).WaitForAsync();
        await panel.Locator(".bell").ClickAsync();
        await servers.SendAsync("user1", ["n-1", "n-2"]);
        await PageTests.Item(panel, "This is n-2").GetByText("seen").WaitForAsync();

        await servers.KillAsync(0);
        await panel.GetByText("not connected").WaitForAsync();
        await servers.SendAsync("user1", ["n-3", "n-4"]);
        await servers.StartAsync(0);

        await PageTests.Item(panel, "This is n-4").GetByText("seen").WaitForAsync();
        (await panel.Locator("li .text").AllTextContentsAsync()).Should().Equal("This is n-4", "This is n-3", "This is n-2", "This is n-1");
        (await servers.StoredAsync("user1")).Should().OnlyContain(stored => stored.State == NotificationState.Seen);
    }

    /// <summary>Two devices of one user and one of another, while notifications are sent.</summary>
    private sealed class Run(ServerProcesses servers) : IAsyncDisposable
    {
        private static readonly string[] Users = ["user1", "user1", "user2"];

        private readonly List<ReconnectingDevice> _devices = [];
        private readonly CancellationTokenSource _stop = new();
        private Task _sending = Task.CompletedTask;
        private string[] _ids = [];

        public ServerProcesses Servers { get; } = servers;

        public void Connect() => _devices.AddRange(
            Users.Select((userId, first) => new ReconnectingDevice(() => Servers.Urls, userId, ServerProcesses.Token(userId), first)));

        public void Send(int ids)
        {
            _ids = [.. Enumerable.Range(1, ids).Select(static number => $"n-{number}")];
            _sending = Task.Run(async () =>
            {
                foreach (var id in _ids.TakeWhile(_ => !_stop.IsCancellationRequested))
                {
                    await Servers.SendAsync("user1", [id]);
                    await Servers.SendAsync("user2", [id]);
                    await Task.Delay(20);   // the sender's pace
                }
            });
        }

        /// <summary>Waits until each user has been shown so many.</summary>
        public Task ShownAsync(int count) => NotificationsHost.UntilAsync(
            () => Math.Max(_devices[0].Shown.Count, _devices[1].Shown.Count) >= count && _devices[2].Shown.Count >= count, $"each user is shown {count}");

        public async Task FinishAsync()
        {
            await _sending;
            await NotificationsHost.UntilAsync(
                async () => (await Servers.StoredAsync("user1")).Count(IsDelivered) == _ids.Length
                    && (await Servers.StoredAsync("user2")).Count(IsDelivered) == _ids.Length,
                $"{_ids.Length} are stored and acknowledged");

            foreach (var userId in (string[])["user1", "user2"])
            {
                (await Servers.StoredAsync(userId)).Select(static stored => stored.Id).Should().Equal(_ids, "each is stored once, in order");
            }

            _devices[2].Shown.Should().Equal(_ids, "the one device of user2 is shown each once, in order");
            _devices[0].Shown.Union(_devices[1].Shown, StringComparer.Ordinal).Should().BeEquivalentTo(_ids, "no device of user1 missed what no other had");
            _devices.Should().OnlyContain(device => device.RepeatedInOneConnection == 0);
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _sending;
            foreach (var device in _devices)
            {
                await device.DisposeAsync();
            }

            await Servers.DisposeAsync();
            _stop.Dispose();
        }

        private static bool IsDelivered((string Id, NotificationState State) stored) => stored.State >= NotificationState.Delivered;
    }
}
