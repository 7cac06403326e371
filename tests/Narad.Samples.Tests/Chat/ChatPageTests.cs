using System.Diagnostics;
using Chat;
using Chat.Log;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Narad.Kafka;
using Narad.Samples.Tests.Browser;
using Narad.Samples.Tests.SharedParts;
using Xunit.Abstractions;

namespace Narad.Samples.Tests.Chat;

/// <summary>The page in Chromium, at two instances of the server.</summary>
public sealed class ChatPageTests(ITestOutputHelper output)
{
    private const string Hostile = "<b>bold?</b> <script>document.title = 'broken'</script>";

    [SkippableFact]
    public async Task Three_users_at_two_instances_see_the_same_messages_also_after_one_was_away()
    {
        await using var sample = await ChatHosts.StartAsync(2);
        await using var proxy = new TcpProxy("127.0.0.1", sample.UrlOf("server-2").Port);
        await using var ann = await ChatPage.SignInAsync(sample.UrlOf("server"), "Ann");
        await using var bob = await ChatPage.SignInAsync(new Uri($"http://127.0.0.1:{proxy.Port}"), "Bob", phone: true, dark: true);
        await using var carla = await ChatPage.SignInAsync(sample.UrlOf("server-2"), "Carla", dark: true);
        await ann.JoinAsync("general");
        await bob.JoinAsync("general");
        await ann.SeesAsync("2 members, 2 online");

        // Live, escaped, with ticks.
        await ann.SendAsync("Good morning!");
        await bob.SeesMessageAsync("Good morning!");
        await ann.SeesStatusAsync("Good morning!", "read");
        await bob.Page.GetByLabel("Message", new() { Exact = true }).PressSequentiallyAsync("Did");
        await ann.SeesAsync("bob is typing");
        await bob.SendAsync(Hostile);
        await ann.SeesMessageAsync("<b>bold?</b>");
        (await ann.Page.TitleAsync()).Should().Be("general");

        // Unread: ann looks at another room. The third one was not there.
        await ann.JoinAsync("billing");
        await bob.SendAsync("Did the deployment work?");
        await bob.SeesStatusAsync("Did the deployment work?", "delivered");
        await ann.Page.GetByLabel("1 unread").WaitForAsync();
        await carla.JoinAsync("general");
        await carla.SeesMessageAsync("Did the deployment work?");
        await ann.OpenAsync("general");
        await ann.SeesAsync("New messages");
        await bob.SeesStatusAsync("Did the deployment work?", "read");
        await ann.SeesAsync("3 members, 3 online");

        // Away and back: what the others wrote is fetched, what was written meanwhile is sent.
        proxy.Cut();
        await ann.SeesAsync("3 members, 2 online");
        await bob.SendAsync("Written while away");
        await bob.SeesStatusAsync("Written while away", "waiting");
        await ann.SendAsync("Yes: 3 partitions, and no lag");
        await carla.SendAsync("Thank you");
        await ann.SeesStatusAsync("Yes: 3 partitions, and no lag", "read");
        proxy.Restore();
        await bob.SeesStatusAsync("Written while away", "read");
        await ann.SeesMessageAsync("Written while away");
        await ann.SendAsync("See you at lunch");
        await ann.SeesStatusAsync("See you at lunch", "read");
        await bob.SeesMessageAsync("See you at lunch");
        await carla.SeesMessageAsync("See you at lunch");

        var texts = await ann.TextsAsync();
        texts.Should().HaveCount(7).And.OnlyHaveUniqueItems();
        texts.Should().StartWith(["Good morning!", Hostile, "Did the deployment work?"]).And.Contain("Written while away").And.EndWith("See you at lunch");
        (await bob.TextsAsync()).Should().Equal(texts);
        (await carla.TextsAsync()).Should().Equal(texts);
        foreach (var user in new[] { ann, bob, carla })
        {
            (await user.FitsAsync()).Should().BeTrue("nothing is wider than the window");
            user.Complaints.Should().BeEmpty();
        }

        await ann.ShotAsync("chat-desktop");
        await bob.ShotAsync("chat-phone");
        await carla.ShotAsync("chat-dark");
    }

    [SkippableFact]
    public async Task A_room_with_10000_messages_opens_and_scrolls_quickly()
    {
        const int Count = 10_000, MostPages = 1_000;
        await using var sample = await ChatHosts.StartAsync(1);
        await using var ann = await ChatPage.SignInAsync(sample.UrlOf("server"), "Ann");
        await ann.JoinAsync("big");
        var kafka = sample["server"].Services.GetRequiredService<IKafkaProducer>();
        await kafka.SendManyAsync("chat-messages", Enumerable.Range(1, Count).Select(Record), static record => record.RoomId);
        await ann.SeesMessageAsync($"number {Count}.");
        var page = ann.Page;

        var started = Stopwatch.GetTimestamp();
        await page.ReloadAsync();
        await ann.SeesMessageAsync($"number {Count}.");
        var opened = Stopwatch.GetElapsedTime(started);

        // Up by a page each time, for 1,000 messages.
        await page.Locator("#messages").FocusAsync();
        started = Stopwatch.GetTimestamp();
        var pages = 0;
        while (!await ann.Row($"number {Count - 1_000}.").IsVisibleAsync() && pages++ < MostPages)
        {
            await page.Keyboard.PressAsync("PageUp");
        }

        var scrolled = Stopwatch.GetElapsedTime(started) / pages;
        output.WriteLine($"Opened in {opened.TotalMilliseconds:0} ms; {pages} pages up, {scrolled.TotalMilliseconds:0} ms each.");
        pages.Should().BeLessThan(MostPages);
        (await page.Locator("#list > li").CountAsync()).Should().BeLessThan(300);
        (await ann.TextsAsync()).Select(static text => int.Parse(text[7..^1])).Should().BeInAscendingOrder().And.OnlyHaveUniqueItems();
        await page.GetByLabel("Go to the newest message").ClickAsync();
        await ann.SeesMessageAsync($"number {Count}.");
        opened.Should().BeLessThan(TimeSpan.FromSeconds(10));
        scrolled.Should().BeLessThan(TimeSpan.FromSeconds(1));
        ann.Complaints.Should().BeEmpty();
    }

    [SkippableFact]
    public async Task The_owner_removes_a_member_another_one_leaves_and_a_user_signs_out()
    {
        await using var sample = await ChatHosts.StartAsync(1);
        await using var ann = await ChatPage.SignInAsync(sample.UrlOf("server"), "Ann");
        await using var ben = await ChatPage.SignInAsync(sample.UrlOf("server"), "Ben", phone: true);
        await using var carla = await ChatPage.SignInAsync(sample.UrlOf("server"), "Carla");
        foreach (var user in new[] { ann, ben, carla })
        {
            user.Page.Dialog += static (_, question) => _ = question.AcceptAsync();
            await user.JoinAsync("general");
        }

        await ann.SeesAsync("3 members, 3 online");
        await ann.Page.GetByLabel("Remove carla").ClickAsync();
        await carla.Page.GetByText("You were removed from general.").WaitForAsync();
        await ann.SeesAsync("2 members, 2 online");
        await ben.Page.GetByLabel("Leave the room").ClickAsync();
        await ann.SeesAsync("1 member, 1 online");
        await Link(ben).WaitForAsync(new() { State = WaitForSelectorState.Detached });
        await Link(carla).WaitForAsync(new() { State = WaitForSelectorState.Detached });

        await ann.Page.GetByLabel("Sign out").ClickAsync();
        await ann.Page.GetByLabel("Your name").WaitForAsync();
        await ann.Page.ReloadAsync();
        await ann.Page.GetByLabel("Your name").WaitForAsync();
        ann.Complaints.Concat(ben.Complaints).Concat(carla.Complaints).Should().BeEmpty();

        static ILocator Link(ChatPage user) => user.Page.GetByRole(AriaRole.Link, new() { Name = "general" });
    }

    private static ChatRecord Record(int number) =>
        new(RecordKind.Message, "big", number % 3 == 0 ? "ann" : "bob", Guid.CreateVersion7().ToString(), $"number {number}.", DateTimeOffset.UtcNow);
}
