using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Chat.Contract;
using Chat.Rooms;
using Chat.Storage;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;

namespace Narad.Samples.Tests.Chat;

/// <summary>Two instances in this process, shared by the tests; each has rooms and users of its own.</summary>
public sealed class HubTests(HubTests.TwoServers servers) : IClassFixture<HubTests.TwoServers>
{
    [Fact]
    public async Task A_message_reaches_every_instance_and_who_was_away_fetches_it()
    {
        await using var ann = await ChatUser.ConnectAsync(servers.First, "Ann1");
        await using var ben = await ChatUser.ConnectAsync(servers.Second, "Ben1");
        (await ann.JoinAsync("flow")).Should().BeEquivalentTo(new { RoomId = "flow", Head = 0, FirstSequence = 0, OwnerId = "ann1" });
        await ben.JoinAsync("flow");

        var sent = await ann.SendAsync("flow", "one <b>");
        var live = await ben.UntilAsync<MessageEvent>(static message => message.Text == "one <b>", "ben gets it");
        live.Should().BeEquivalentTo(new { RoomId = "flow", UserId = "ann1", sent.Sequence, sent.MessageId });
        await ann.SendAsync("flow", "two");
        (await ben.UntilAsync<MessageEvent>(static message => message.Text == "two", "ben gets the second one")).Previous.Should().Be(live.Sequence);

        await using var cid = await ChatUser.ConnectAsync(servers.Second, "Cid1");
        var room = await cid.JoinAsync("flow");
        room.FirstSequence.Should().Be(live.Sequence);
        var page = await cid.PageAsync("flow", "?after=0");
        page.Messages.Select(static message => message.Text).Should().Equal("one <b>", "two");
        page.Messages[^1].Sequence.Should().Be(room.Head);
    }

    [Fact]
    public async Task A_message_that_is_sent_again_is_shown_once_on_both_instances()
    {
        await using var ann = await ChatUser.ConnectAsync(servers.First, "Ann2");
        await using var same = await ChatUser.ConnectAsync(servers.Second, "Ann2");
        await ann.JoinAsync("again");
        await same.JoinAsync("again");
        var id = Guid.NewGuid();

        var receipts = await Task.WhenAll(ann.SendAsync("again", "once", id), same.SendAsync("again", "once", id), same.SendAsync("again", "once", id));
        receipts.Should().OnlyContain(static receipt => receipt.Status == MessageStatus.Sent);
        await ann.SendAsync("again", "last");
        await ann.UntilAsync<MessageEvent>(static message => message.Text == "last", "the last one comes");
        await same.UntilAsync<MessageEvent>(static message => message.Text == "last", "the last one comes");

        ann.Events<MessageEvent>().Select(static message => message.Text).Should().Equal("once", "last");
        same.Events<MessageEvent>().Should().BeEquivalentTo(ann.Events<MessageEvent>());
        (await ann.SendAsync("again", "once", id)).Sequence.Should().Be(ann.Events<MessageEvent>()[0].Sequence);
        await servers.UntilStoredAsync();
        (await same.PageAsync("again")).Messages.Select(static message => message.Text).Should().Equal("last", "once");
    }

    [Fact]
    public async Task Pages_are_newest_first_and_a_cursor_leads_to_the_next_one()
    {
        await using var ann = await ChatUser.ConnectAsync(servers.First, "Ann3");
        await ann.JoinAsync("pages");
        foreach (var text in (string[])["1", "2", "3", "4", "5"])
        {
            await ann.SendAsync("pages", text);
        }

        await ann.UntilAsync<MessageEvent>(static message => message.Text == "5", "all are read");
        foreach (var stored in (bool[])[false, true])
        {
            if (stored)
            {
                await servers.UntilStoredAsync();
            }

            var texts = new List<string>();
            string? next = "";
            while (next is not null)
            {
                var page = await ann.PageAsync("pages", next.Length == 0 ? "?limit=2" : $"?limit=2&before={next}");
                texts.AddRange(page.Messages.Select(static message => message.Text));
                next = page.Next;
            }

            texts.Should().Equal("5", "4", "3", "2", "1");
            var after = await ann.PageAsync("pages", "?limit=3&after=0");
            after.Messages.Select(static message => message.Text).Should().Equal("1", "2", "3");
            (await ann.PageAsync("pages", $"?limit=3&after={after.Next}")).Messages.Select(static message => message.Text).Should().Equal("4", "5");
        }
    }

    [Fact]
    public async Task The_sender_learns_delivered_and_read_and_unread_messages_are_counted()
    {
        await using var ann = await ChatUser.ConnectAsync(servers.First, "Ann4");
        await using var ben = await ChatUser.ConnectAsync(servers.Second, "Ben4");
        await ann.JoinAsync("status");
        await ben.JoinAsync("status");
        var (one, two) = (await ann.SendAsync("status", "one"), await ann.SendAsync("status", "two"));
        await ben.UntilAsync<MessageEvent>(static message => message.Text == "two", "ben gets both");

        (await ben.Http.GetFromJsonAsync<UnreadMessages>("/api/messages/unread/ben4"))!.Should().BeEquivalentTo(
            new { UserId = "ben4", Total = 2, Rooms = new[] { new { RoomId = "status", Unread = 2 } } });
        (await ben.Connection.InvokeAsync<IReadOnlyList<RoomSummary>>("Rooms")).Should().BeEquivalentTo(
            [new { RoomId = "status", Unread = 2L, Head = two.Sequence, LastText = "two" }]);

        await ben.Connection.InvokeAsync("Delivered", "status", two.Sequence + 1_000);   // no further than the room
        (await ann.UntilAsync<MarkerEvent>(static marker => marker.UserId == "ben4", "ann learns delivered"))
            .Should().BeEquivalentTo(new MarkerEvent("status", "ben4", two.Sequence, 0));
        using var read = await ben.Http.PutAsJsonAsync($"/api/messages/{one.MessageId}/status", new { status = "read" });
        (await read.Content.ReadFromJsonAsync<StatusView>()).Should().Be(new StatusView(one.MessageId, "status", one.Sequence, MessageStatus.Read));
        await ann.UntilAsync<MarkerEvent>(marker => marker.ReadUpTo == one.Sequence && marker.DeliveredUpTo == two.Sequence, "ann learns read");

        (await ann.PageAsync("status")).Messages.Select(static message => message.Status).Should().Equal(MessageStatus.Delivered, MessageStatus.Read);
        using var back = await ben.Http.PutAsJsonAsync($"/api/messages/{one.MessageId}/status", new { status = "sent" });
        (await back.Content.ReadFromJsonAsync<StatusView>())!.Status.Should().Be(MessageStatus.Read, "a status never goes backwards");
        (await ben.Http.GetFromJsonAsync<UnreadMessages>("/api/messages/unread/ben4"))!.Total.Should().Be(1);

        using var delivered = await ben.Http.PostAsJsonAsync("/api/messages/delivered", new { messageIds = new[] { one.MessageId, two.MessageId } });
        (await delivered.Content.ReadFromJsonAsync<Marked>())!.Markers.Should().Equal(new MarkerEvent("status", "ben4", two.Sequence, one.Sequence));
        (await ann.Http.GetFromJsonAsync<RoomStats>("/api/messages/stats/status"))!.Should().BeEquivalentTo(new
        {
            Total = 2,
            ByStatus = new StatusCounts(0, 1, 1),
            ByUser = new[] { new UserCounts("ann4", 2, new StatusCounts(0, 1, 1)) },
        });
    }

    [Fact]
    public async Task Who_leaves_is_removed_or_signs_out_gets_nothing_more_on_any_connection_of_any_instance()
    {
        await using var ann = await ChatUser.ConnectAsync(servers.First, "Ann5");
        await using var here = await ChatUser.ConnectAsync(servers.First, "Ben5");
        await using var there = await ChatUser.ConnectAsync(servers.Second, "Ben5");
        await using var cid = await ChatUser.ConnectAsync(servers.Second, "Cid5");
        foreach (var user in (ChatUser[])[ann, here, there, cid])
        {
            await user.JoinAsync("leave");
        }

        await here.Connection.InvokeAsync("Leave", "leave");
        await ann.SendAsync("leave", "after ben left");
        await cid.UntilAsync<MessageEvent>(static message => message.Text == "after ben left", "cid gets it");
        await there.UntilAsync<RemovedEvent>(static removed => removed.Reason == "left", "ben's other connection is told");
        await here.UntilAsync<RemovedEvent>(static removed => removed.Reason == "left", "ben's connection is told");
        here.Events<MessageEvent>().Should().BeEmpty();
        there.Events<MessageEvent>().Should().BeEmpty();
        (await RefusedAsync(() => here.SendAsync("leave", "no"))).Should().StartWith("forbidden:");

        (await RefusedAsync(() => cid.Connection.InvokeAsync("Remove", "leave", "ann5"))).Should().StartWith("forbidden:", "ann created the room");
        await ann.Connection.InvokeAsync("Remove", "leave", "cid5");
        await cid.UntilAsync<RemovedEvent>(static removed => removed.Reason == "removed", "cid is told");
        await ann.UntilAsync<MemberEvent>(static member => member is { UserId: "cid5", Joined: false }, "ann is told");
        await ann.SendAsync("leave", "after cid was removed");
        (await RefusedAsync(() => cid.JoinAsync("leave"))).Should().StartWith("forbidden:");
        (await cid.Http.GetAsync("/api/messages/room/leave")).StatusCode.Should().Be(HttpStatusCode.Forbidden);
        cid.Events<MessageEvent>().Should().ContainSingle();

        await here.JoinAsync("leave");
        var ended = new TaskCompletionSource();
        there.Connection.Closed += _ =>
        {
            ended.TrySetResult();
            return Task.CompletedTask;
        };
        (await here.Http.DeleteAsync("/api/session")).StatusCode.Should().Be(HttpStatusCode.NoContent);
        await ended.Task.WaitAsync(ChatHosts.MostWait);
        await ChatUser.UntilAsync(() => here.Connection.State is HubConnectionState.Disconnected, "this connection ends, too");
        (await there.Http.GetAsync("/api/session")).StatusCode.Should().Be(HttpStatusCode.Unauthorized);
        (await here.Http.GetAsync("/api/messages/unread/ben5")).StatusCode.Should().Be(HttpStatusCode.Unauthorized);
        await using var again = await ChatUser.ConnectAsync(servers.Second, "Ben5");
        (await again.JoinAsync("leave")).Members.Should().Contain(static member => member.UserId == "ben5" && member.IsMember);
    }

    [Fact]
    public async Task Presence_and_typing_reach_the_other_instance()
    {
        await using var ann = await ChatUser.ConnectAsync(servers.First, "Ann6");
        await ann.JoinAsync("present");
        var ben = await ChatUser.ConnectAsync(servers.Second, "Ben6");
        await ben.JoinAsync("present");
        await ann.UntilAsync<MemberEvent>(static member => member is { UserId: "ben6", Joined: true }, "ben joined");
        await ChatUser.UntilAsync(
            async () => (await ann.JoinAsync("present")).Members.Single(static member => member.UserId == "ben6").Online, "ann sees ben online");
        await ben.Connection.InvokeAsync("Typing", "present");
        await ann.UntilAsync<TypingEvent>(static typing => typing == new TypingEvent("present", "ben6"), "ann sees ben type");
        ben.Events<TypingEvent>().Should().BeEmpty();

        await ben.DisposeAsync();
        await ann.UntilAsync<PresenceEvent>(static presence => presence == new PresenceEvent("present", "ben6", false), "ben goes offline");
    }

    [Fact]
    public async Task What_a_user_may_not_is_refused()
    {
        await using var ann = await ChatUser.ConnectAsync(servers.First, "Ann7");
        await using var eve = await ChatUser.ConnectAsync(servers.First, "Eve7");
        await ann.JoinAsync("private");
        var sent = await ann.SendAsync("private", "secret");

        (await RefusedAsync(() => eve.SendAsync("private", "x"))).Should().StartWith("forbidden:");
        (await RefusedAsync(() => eve.Connection.InvokeAsync("Read", "private", 1L))).Should().StartWith("forbidden:");
        (await RefusedAsync(() => eve.Connection.InvokeAsync("Leave", "nowhere"))).Should().StartWith("forbidden:");
        (await RefusedAsync(() => eve.JoinAsync("No Room"))).Should().StartWith("invalid:");
        (await RefusedAsync(() => ann.SendAsync("private", " "))).Should().StartWith("invalid:");
        (await RefusedAsync(() => ann.SendAsync("private", new string('é', 2_049)))).Should().StartWith("invalid:", "4 KiB are 2,048 of them");
        (await RefusedAsync(() => ann.Connection.InvokeAsync<SendReceipt>("Send", new NewMessage("private", "7", "x")))).Should().StartWith("invalid:");
        await ann.SendAsync("private", new string('é', 2_048));

        await ProblemAsync(await eve.Http.GetAsync("/api/messages/room/private"), 403);
        await ProblemAsync(await eve.Http.GetAsync("/api/messages/stats/private"), 403);
        await ProblemAsync(await eve.Http.GetAsync("/api/messages/unread/ann7"), 403);
        await ProblemAsync(await eve.Http.PutAsJsonAsync($"/api/messages/{sent.MessageId}/status", new { status = "read" }), 404);
        await ProblemAsync(await eve.Http.PutAsJsonAsync($"/api/messages/{sent.MessageId}/status", new { status = "lost" }), 400);
        await ProblemAsync(await eve.Http.PostAsJsonAsync("/api/messages/delivered", new { roomId = "private", upTo = 1 }), 403);
        await ProblemAsync(await eve.Http.PostAsJsonAsync("/api/messages/delivered", new { }), 400);
        await ProblemAsync(await ann.Http.GetAsync("/api/messages/room/private?limit=0"), 400);
        await ProblemAsync(await ann.Http.GetAsync("/api/messages/room/private?before=x"), 400);

        using var stranger = new HttpClient { BaseAddress = servers.First };
        await ProblemAsync(await stranger.GetAsync("/api/messages/room/private"), 401);
        (await stranger.PostAsync("/chat/negotiate?negotiateVersion=1", content: null)).StatusCode.Should().Be(HttpStatusCode.Unauthorized);
        await ProblemAsync(await stranger.PostAsJsonAsync("/api/session", new { name = "<script>" }), 400);
        await ProblemAsync(await stranger.PostAsJsonAsync("/api/session", new { }), 400);
        using var forged = new HttpRequestMessage(HttpMethod.Get, "/api/session");
        forged.Headers.Add("Cookie", $"chat-session={Convert.ToBase64String(Encoding.UTF8.GetBytes("""{"UserId":"ann7"}"""))}.AAAA");
        await ProblemAsync(await stranger.SendAsync(forged), 401);
        using var other = new HttpRequestMessage(HttpMethod.Post, "/api/session") { Content = JsonContent.Create(new SignIn("Ann7")) };
        other.Headers.Add("Origin", "https://evil.example");
        await ProblemAsync(await stranger.SendAsync(other), 403);
        using var own = new HttpRequestMessage(HttpMethod.Post, "/api/session") { Content = JsonContent.Create(new SignIn("Ann7")) };
        own.Headers.Add("Origin", servers.First.GetLeftPart(UriPartial.Authority));
        var cookie = (await stranger.SendAsync(own)).Headers.GetValues("Set-Cookie").Single();
        cookie.Should().StartWith("chat-session=").And.Contain("httponly").And.Contain("samesite=strict");
    }

    [Fact]
    public async Task Who_sends_too_much_is_told_so_and_others_are_not()
    {
        await using var eve = await ChatUser.ConnectAsync(servers.First, "Eve8");
        await using var ann = await ChatUser.ConnectAsync(servers.First, "Ann8");
        await eve.JoinAsync("busy");
        await ann.JoinAsync("busy");

        var refused = 0;
        var sends = Enumerable.Range(0, 400).Select(number => SendAsync($"{number}"));
        await Task.WhenAll(sends);
        refused.Should().BeInRange(1, 350);
        await ann.SendAsync("busy", "ann may");

        async Task SendAsync(string text)
        {
            try
            {
                await eve.SendAsync("busy", text);
            }
            catch (HubException failure) when (failure.Message.Contains("rateLimited:", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref refused);
            }
        }
    }

    private static async Task<string> RefusedAsync(Func<Task> call) =>
        (await FluentActions.Awaiting(call).Should().ThrowAsync<HubException>()).Which.Message is var text
            && text.IndexOf("HubException: ", StringComparison.Ordinal) is >= 0 and var start ? text[(start + "HubException: ".Length)..] : text;

    private static async Task ProblemAsync(HttpResponseMessage response, int status)
    {
        ((int)response.StatusCode).Should().Be(status, $"of {response.RequestMessage}");
        response.Content.Headers.ContentType!.MediaType.Should().Be("application/problem+json");
        var text = await response.Content.ReadAsStringAsync();
        text.Should().NotContain("   at ");
        JsonDocument.Parse(text).RootElement.GetProperty("status").GetInt32().Should().Be(status);
        response.Dispose();
    }

    public sealed class TwoServers : IAsyncLifetime
    {
        private RunningSample? _sample;

        public Uri First => _sample!.UrlOf("server");

        public Uri Second => _sample!.UrlOf("server-2");

        public async Task InitializeAsync() => _sample = await ChatHosts.StartAsync(2);

        public async Task DisposeAsync() => await _sample!.DisposeAsync();

        /// <summary>Waits until the consumer has stored what the first instance has read.</summary>
        internal async Task UntilStoredAsync()
        {
            var services = _sample!["server"].Services;
            var storage = services.GetRequiredService<IChatStorage>();
            foreach (var room in services.GetRequiredService<RoomDirectory>().All.ToList())
            {
                var head = room.Head;
                await ChatUser.UntilAsync(async () => (await storage.RoomAsync(room.RoomId, default)).Head >= head, $"{room.RoomId} is stored");
            }
        }
    }
}
