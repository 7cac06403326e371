using System.Net.Http.Json;
using Chat.Contract;
using Microsoft.AspNetCore.SignalR.Client;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Samples.Tests.ClientToClient;

namespace Narad.Samples.Tests.Chat;

/// <summary>Redis and MongoDB in the places that configuration gives them.</summary>
public sealed class OtherServersTests
{
    [SkippableFact]
    public async Task With_Redis_presence_and_typing_work_and_messages_arrive_once_also_after_it_was_killed()
    {
        await using var redis = await RedisServer.StartNewAsync();
        await using var sample = await ChatHosts.StartAsync(2, $"--REDIS_URL={redis.Url}");
        await using var ann = await ChatUser.ConnectAsync(sample.UrlOf("server"), "Ann");
        await using var ben = await ChatUser.ConnectAsync(sample.UrlOf("server-2"), "Ben");
        await ann.JoinAsync("redis");
        await ben.JoinAsync("redis");
        await ChatUser.UntilAsync(
            async () => (await ann.JoinAsync("redis")).Members.SingleOrDefault(static member => member.UserId == "ben") is { Online: true }, "ann sees ben");
        await ben.Connection.InvokeAsync("Typing", "redis");
        await ann.UntilAsync<TypingEvent>(static typing => typing.UserId == "ben", "ann sees ben type");
        await ann.SendAsync("redis", "one");
        await ben.UntilAsync<MessageEvent>(static message => message.Text == "one", "ben gets it");
        sample.Broker!.Topics["chat-presence"].Should().Be(1, "it is declared, and not used");

        await redis.KillAsync();
        await ann.SendAsync("redis", "two");
        await ben.UntilAsync<MessageEvent>(static message => message.Text == "two", "ben gets it from Kafka");
        await redis.StartAsync();
        var typed = ben.Events<TypingEvent>().Count;
        await ChatUser.UntilAsync(
            async () =>
            {
                await ann.Connection.InvokeAsync("Typing", "redis");
                return ben.Events<TypingEvent>().Count > typed;
            },
            "Redis is used again");
        await ann.SendAsync("redis", "three");
        await ben.UntilAsync<MessageEvent>(static message => message.Text == "three", "ben gets it");
        ben.Events<MessageEvent>().Select(static message => message.Text).Should().Equal("one", "two", "three");
        await ChatUser.UntilAsync(
            async () => (await ann.JoinAsync("redis")).Members.All(static member => member.Online),
            "ann sees both again after the next signs of life");
    }

    [SkippableFact]
    public async Task In_MongoDB_everything_is_there_after_a_restart_though_the_embedded_broker_forgot_its_log()
    {
        using var mongo = new TestMongo();
        long head;
        await using (var sample = await ChatHosts.StartAsync(1, $"--MONGODB_URI={mongo.Uri}"))
        {
            await using var ann = await ChatUser.ConnectAsync(sample.UrlOf("server"), "Ann");
            await using var ben = await ChatUser.ConnectAsync(sample.UrlOf("server"), "Ben");
            await using var cid = await ChatUser.ConnectAsync(sample.UrlOf("server"), "Cid");
            foreach (var user in (ChatUser[])[ann, ben, cid])
            {
                await user.JoinAsync("stored");
            }

            await ann.SendAsync("stored", "one");
            head = (await ann.SendAsync("stored", "two", Guid.Empty)).Sequence;
            await ben.UntilAsync<MessageEvent>(static message => message.Text == "two", "ben has what he reads");
            await ben.Connection.InvokeAsync("Read", "stored", head);
            await ann.Connection.InvokeAsync("Remove", "stored", "cid");
            await cid.Http.DeleteAsync("/api/session");
            await ann.UntilAsync<MarkerEvent>(marker => marker.UserId == "ben" && marker.ReadUpTo == head, "ben has read");
            await UntilStoredAsync("messages", 2);
            await UntilStoredAsync("receipts", 1);
            await UntilStoredAsync("signed-out", 1);
        }

        await using (var sample = await ChatHosts.StartAsync(2, $"--MONGODB_URI={mongo.Uri}"))
        {
            await using var ann = await ChatUser.ConnectAsync(sample.UrlOf("server"), "Ann");
            await using var ben = await ChatUser.ConnectAsync(sample.UrlOf("server-2"), "Ben");
            var room = await ann.JoinAsync("stored");
            room.Should().BeEquivalentTo(new { Head = head, OwnerId = "ann" });
            room.Members.Should().Contain(member => member.UserId == "ben" && member.ReadUpTo == head && member.IsMember)
                .And.Contain(static member => member.UserId == "cid" && !member.IsMember);
            await ben.JoinAsync("stored");
            var third = await ann.SendAsync("stored", "three");
            third.Sequence.Should().BeGreaterThan(head);
            var live = await ben.UntilAsync<MessageEvent>(static message => message.Text == "three", "ben gets it");
            live.Previous.Should().BeOneOf(head, -1);
            (await ben.PageAsync("stored", "?after=0")).Messages.Select(static message => message.Text).Should().Equal("one", "two", "three");
            (await ben.PageAsync("stored")).Messages[1].Status.Should().Be(MessageStatus.Read);
            await UntilStoredAsync("messages", 3);
            (await ann.PageAsync("stored", "?limit=2")).Messages.Select(static message => message.Text).Should().Equal("three", "two");
            (await ben.Http.GetFromJsonAsync<RoomStats>("/api/messages/stats/stored"))!.ByStatus.Should().Be(new StatusCounts(1, 0, 2));
        }

        Task UntilStoredAsync(string collection, int count) => ChatUser.UntilAsync(
            async () => await mongo.Collection.Database.GetCollection<BsonDocument>(collection).CountDocumentsAsync(new BsonDocument()) == count,
            $"{count} in {collection}");
    }
}
