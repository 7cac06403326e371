using System.Net.Http.Json;
using System.Text.Json;

namespace Narad.Samples.Tests.Notifications;

/// <summary><c>/notifications</c>.</summary>
public sealed class RestTests
{
    [Fact]
    public async Task Notifications_are_sent_to_one_to_many_and_to_all_and_the_answer_has_their_ids()
    {
        await using var host = await NotificationsHost.StartAsync();
        await using var device = await Device.ConnectAsync(host.Url, "user1");   // known, with nothing stored

        var one = await host.PostAsync(new { userId = "user2", message = "to one" });
        var many = await host.PostAsync(new { userIds = (string[])["user1", "user3", "user1"], message = "to many" });
        await Task.WhenAll(host.StoredAsync("user1", 1), host.StoredAsync("user2", 1), host.StoredAsync("user3", 1));
        var all = await host.PostAsync(new { all = true, message = "to all", expiresAt = DateTimeOffset.UtcNow.AddHours(1) });
        await Task.WhenAll(host.StoredAsync("user1", 2), host.StoredAsync("user2", 2), host.StoredAsync("user3", 2));

        one.EnumerateArray().Select(sent => sent.GetProperty("userId").GetString()).Should().Equal("user2");
        many.EnumerateArray().Select(sent => sent.GetProperty("userId").GetString()).Should().Equal("user1", "user3");
        all.EnumerateArray().Select(sent => sent.GetProperty("userId").GetString()).Should().BeEquivalentTo("user1", "user2", "user3");
        await device.ReceivedAsync(2);
        device.Ids.Should().Equal(IdFor("user1", many), IdFor("user1", all));

        static string IdFor(string userId, JsonElement sent) =>
            sent.EnumerateArray().Single(one => one.GetProperty("userId").GetString() == userId).GetProperty("id").GetString()!;
    }

    [Fact]
    public async Task The_list_has_pages_newest_first_a_filter_by_state_and_counts()
    {
        await using var host = await NotificationsHost.StartAsync();
        await host.SendAsync("user1", "n-1", "n-2", "n-3", "n-4", "n-5");
        await host.StoredAsync("user1", 5);
        (await host.PutAsync("user1", "n-2/read")).Should().Be(1);
        (await host.PutAsync("user1", "n-4/archived")).Should().Be(1);

        var first = await host.ListAsync("user1", "&limit=2");
        Ids(first).Should().Equal("n-5", "n-4");
        var second = await host.ListAsync("user1", $"&limit=2&before={first.GetProperty("next").GetInt64()}");
        Ids(second).Should().Equal("n-3", "n-2");
        var third = await host.ListAsync("user1", $"&limit=2&before={second.GetProperty("next").GetInt64()}");
        Ids(third).Should().Equal("n-1");
        third.GetProperty("next").ValueKind.Should().Be(JsonValueKind.Null);

        var filtered = await host.ListAsync("user1", "&state=pending&state=read");
        Ids(filtered).Should().Equal("n-5", "n-3", "n-2", "n-1");
        filtered.GetProperty("count").GetInt32().Should().Be(4);
        filtered.GetProperty("items")[2].GetProperty("state").GetString().Should().Be("read");
        filtered.GetProperty("counts").GetRawText().Should().Be("""{"pending":3,"delivered":0,"seen":0,"read":1,"archived":1}""");
    }

    [Fact]
    public async Task A_state_never_becomes_an_earlier_one_and_all_means_what_the_caller_has_seen()
    {
        await using var host = await NotificationsHost.StartAsync();
        await host.SendAsync("user1", "n-1", "n-2", "n-3");
        await host.StoredAsync("user1", 3);
        var position = (await host.ListAsync("user1")).GetProperty("items")[1].GetProperty("position").GetInt64();

        (await host.PutAsync("user1", "seen-all", $"&upTo={position}")).Should().Be(2);
        (await host.PutAsync("user1", "n-1/archived")).Should().Be(1);
        (await host.PutAsync("user1", "n-1/read")).Should().Be(0);
        (await host.PutAsync("user1", "n-2/seen")).Should().Be(0);
        (await host.PutAsync("user2", "n-2/read")).Should().Be(0, "it is not theirs");
        (await host.PutAsync("user1", "read-all", $"&upTo={position}")).Should().Be(1);
        (await host.ListAsync("user1")).GetProperty("items").EnumerateArray().Select(item => item.GetProperty("state").GetString())
            .Should().Equal("pending", "read", "archived");
        (await host.PutAsync("user1", "read-all")).Should().Be(1);
    }

    [Theory]
    [InlineData("""{"userId":"user1"}""", "message")]
    [InlineData("""{"userId":"user1","message":" "}""", "message")]
    [InlineData("""{"message":"m"}""", "userId")]
    [InlineData("""{"userId":"user1","all":true,"message":"m"}""", "userId")]
    [InlineData("""{"userId":"a b","message":"m"}""", "userId")]
    [InlineData("""{"userIds":[],"message":"m"}""", "userIds")]
    [InlineData("""{"userIds":["user1",null],"message":"m"}""", "userIds")]
    [InlineData("""{"userId":"user1","message":"m","expiresAt":"soon"}""", "expiresAt")]
    [InlineData("no JSON", "$")]
    public async Task What_cannot_be_sent_is_refused_with_the_field(string body, string field)
    {
        await using var host = await NotificationsHost.StartAsync();

        using var refused = await host.Http.PostAsync("/notifications", DeliveryTests.JsonContent(body));

        ((int)refused.StatusCode).Should().Be(400);
        var problem = await refused.Content.ReadFromJsonAsync<JsonElement>();
        problem.GetProperty("errors").EnumerateObject().Select(error => error.Name).Should().Equal(field);
    }

    [Theory]
    [InlineData("?userId=user1&state=lost", "state")]
    [InlineData("?userId=user1&limit=0", "limit")]
    [InlineData("?userId=user1&before=x", "before")]
    [InlineData("", "userId")]
    [InlineData("?userId=a%2Fb", "userId")]
    public async Task A_list_that_cannot_be_asked_for_is_refused_with_the_parameter(string query, string parameter)
    {
        await using var host = await NotificationsHost.StartAsync();

        using var refused = await host.Http.GetAsync($"/notifications{query}");

        ((int)refused.StatusCode).Should().Be(400);
        (await refused.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("errors").TryGetProperty(parameter, out _).Should().BeTrue();
    }

    [Fact]
    public async Task Health_names_the_storage_and_the_broker()
    {
        await using var host = await NotificationsHost.StartAsync();

        (await host.Http.GetFromJsonAsync<JsonElement>("/health")).GetProperty("checks").GetProperty("storage").GetProperty("description").GetString()
            .Should().Be("memory");
        (await host.Http.GetFromJsonAsync<JsonElement>("/health/kafka")).GetProperty("clientId").GetString().Should().Be("notifications-consumer");
    }

    private static IEnumerable<string?> Ids(JsonElement page) => page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("id").GetString());
}
