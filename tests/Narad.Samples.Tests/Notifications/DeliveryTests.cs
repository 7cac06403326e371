using System.Collections.Concurrent;

namespace Narad.Samples.Tests.Notifications;

/// <summary>Who gets a notification, when, and how often.</summary>
public sealed class DeliveryTests
{
    [Fact]
    public async Task A_client_that_never_acknowledges_gets_each_notification_at_once_and_again_with_each_connection()
    {
        await using var host = await NotificationsHost.StartAsync();
        await using (var first = await Device.ConnectAsync(host.Url, "user1", origin: "null"))   // the document's test.html, opened from a file
        {
            await host.Kafka.SendAsync(
                "notifications",
                """{"id":"notif-001","userId":"user1","message":"This is a test notification","timestamp":"2099-10-01T12:00:00Z"}""",
                "user1");
            await first.ReceivedAsync(1);

            var frame = first.Frames.Single();
            frame.GetProperty("userId").GetString().Should().Be("user1");
            frame.GetProperty("message").GetString().Should().Be("This is a test notification");
            frame.GetProperty("timestamp").GetDateTimeOffset().Should().Be(new DateTimeOffset(2099, 10, 1, 12, 0, 0, TimeSpan.Zero));
        }

        await using var again = await Device.ConnectAsync(host.Url, "user1");
        await again.ReceivedAsync(1);
        again.Ids.Should().Equal("notif-001");
    }

    [Fact]
    public async Task What_came_while_a_user_was_offline_is_delivered_in_order_before_newer_ones_until_it_is_acknowledged()
    {
        await using var host = await NotificationsHost.StartAsync();
        var ids = Enumerable.Range(1, 250).Select(number => $"n-{number}").ToArray();
        await host.SendAsync("user1", ids);
        await host.SendAsync("user2", "other");
        await host.StoredAsync("user1", ids.Length);

        await using (var device = await Device.ConnectAsync(host.Url, "user1", query: "&changes=true"))
        {
            await host.SendAsync("user1", "newer");
            await device.ReceivedAsync(ids.Length + 1);
            device.Ids.Should().Equal([.. ids, "newer"]);
            await device.AcknowledgeAsync(ids[..200]);
            await device.ChangedAsync("delivered");
        }

        await using var again = await Device.ConnectAsync(host.Url, "user1");
        await again.ReceivedAsync(51);
        again.Ids.Should().Equal([.. ids[200..], "newer"]);
        (await host.ListAsync("user1")).GetProperty("counts").GetProperty("delivered").GetInt32().Should().Be(200);
    }

    [Fact]
    public async Task All_devices_on_all_instances_get_a_notification_and_agree_on_its_state()
    {
        await using var host = await NotificationsHost.StartAsync(instances: 2, TimeProvider.System);
        await using var phone = await Device.ConnectAsync(host.UrlOf(1), "user1", query: "&changes=true");
        await using var laptop = await Device.ConnectAsync(host.UrlOf(2), "user1", query: "&changes=true");
        await using var plain = await Device.ConnectAsync(host.UrlOf(2), "user1");
        await using var other = await Device.ConnectAsync(host.UrlOf(2), "user2");

        await host.SendAsync("user1", "n-1");
        await Task.WhenAll(phone.ReceivedAsync(1), laptop.ReceivedAsync(1), plain.ReceivedAsync(1));
        await phone.AcknowledgeAsync("n-1");
        (await laptop.ChangedAsync("delivered")).GetProperty("ids")[0].GetString().Should().Be("n-1");
        (await host.PutAsync("user1", "n-1/read")).Should().Be(1);
        await Task.WhenAll(phone.ChangedAsync("read"), laptop.ChangedAsync("read"));

        plain.Frames.Should().HaveCount(1, "it did not ask for changes");
        other.Frames.Should().BeEmpty();
        await using var tablet = await Device.ConnectAsync(host.UrlOf(2), "user1");
        await host.SendAsync("user1", "n-2");
        await tablet.ReceivedAsync(1);
        tablet.Ids.Should().Equal("n-2");
    }

    [Fact]
    public async Task A_notification_that_is_sent_twice_is_one_for_its_user_and_not_for_another()
    {
        await using var host = await NotificationsHost.StartAsync();
        await using var device = await Device.ConnectAsync(host.Url, "user1");

        await host.SendAsync("user1", "n-1", "n-1");
        await host.SendAsync("user2", "n-1");
        await host.SendAsync("user1", "n-1", "last");

        await device.ReceivedAsync(2);
        device.Ids.Should().Equal("n-1", "last");
        await host.StoredAsync("user1", 2);
        await host.StoredAsync("user2", 1);
    }

    [Fact]
    public async Task What_is_no_notification_becomes_a_dead_letter_and_what_surrounds_it_is_delivered()
    {
        await using var host = await NotificationsHost.StartAsync();
        await using var device = await Device.ConnectAsync(host.Url, "user1");

        var deadLetters = new ConcurrentQueue<string>();
        await host.Kafka.SubscribeBroadcastAsync<string>("notifications-dlt", (text, _, _) =>
        {
            deadLetters.Enqueue(text);
            return Task.CompletedTask;
        });
        string[] wrong = ["no JSON", """{"id":"x","userId":"user1"}""", """{"id":"x","userId":"a/b","message":"m"}""", """{"id":" ","userId":"user1","message":"m"}"""];
        await host.SendAsync("user1", "n-1");
        foreach (var text in wrong)
        {
            await host.Kafka.SendAsync("notifications", text, "user1");
        }

        await host.SendAsync("user1", "n-2");

        await device.ReceivedAsync(2);
        device.Ids.Should().Equal("n-1", "n-2");
        await NotificationsHost.UntilAsync(() => deadLetters.Count >= wrong.Length, $"there are {wrong.Length} dead letters");
        deadLetters.Should().Equal(wrong);
    }

    [Fact]
    public async Task A_notification_expires_delivered_or_not()
    {
        var clock = new ClientToClient.AheadClock();
        await using var host = await NotificationsHost.StartAsync(instances: 1, clock, "--Notifications:Retention=01:30:00");
        var now = clock.GetUtcNow();
        await host.Kafka.SendAsync("notifications", NotificationsHost.Create("user1", "short") with { ExpiresAt = now.AddMinutes(5) }, "user1");
        await host.Kafka.SendAsync("notifications", NotificationsHost.Create("user1", "gone") with { ExpiresAt = now.AddMinutes(-5) }, "user1");
        await host.Kafka.SendAsync("notifications", NotificationsHost.Create("user1", "default"), "user1");
        await host.StoredAsync("user1", 2);

        clock.Advance(TimeSpan.FromMinutes(6));

        (await host.ListAsync("user1")).GetProperty("items").EnumerateArray().Select(item => item.GetProperty("id").GetString()).Should().Equal("default");
        await using var device = await Device.ConnectAsync(host.Url, "user1");
        await device.ReceivedAsync(1);
        device.Ids.Should().Equal("default");
        await NotificationsHost.UntilAsync(() => host.Memory.Count == 1, "the timer deletes it");
        clock.Advance(TimeSpan.FromMinutes(60));
        (await host.ListAsync("user1")).GetProperty("count").GetInt32().Should().Be(0);
    }

    [Fact]
    public async Task While_the_broker_is_down_states_change_and_what_was_stored_is_delivered()
    {
        await using var host = await NotificationsHost.StartAsync();
        await host.SendAsync("user1", "n-1", "n-2");
        await host.StoredAsync("user1", 2);
        host.Broker.StopBroker();

        await using var device = await Device.ConnectAsync(host.Url, "user1");
        await device.ReceivedAsync(2);
        (await host.PutAsync("user1", "n-1/read")).Should().Be(1);
        using var refused = await host.Http.PostAsync("/notifications", JsonContent("""{"userId":"user1","message":"m"}"""));
        ((int)refused.StatusCode).Should().Be(503);

        host.Broker.StartBroker();
        await host.SendAsync("user1", "n-3");
        await device.ReceivedAsync(3);
        device.Ids.Should().OnlyHaveUniqueItems();
    }

    internal static StringContent JsonContent(string json) => new(json, System.Text.Encoding.UTF8, "application/json");
}
