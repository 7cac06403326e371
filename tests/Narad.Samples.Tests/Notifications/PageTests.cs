using Microsoft.Playwright;
using Narad.Samples.Tests.Browser;

namespace Narad.Samples.Tests.Notifications;

/// <summary>The page in Chromium.</summary>
public sealed class PageTests
{
    [SkippableFact]
    public async Task Two_users_are_side_by_side_and_a_notification_is_sent_seen_read_and_archived_by_keyboard()
    {
        await using var host = await NotificationsHost.StartAsync();
        await using var browser = await Chromium.OpenAsync(host.Url);
        var page = browser.Page;
        await browser.SeesAsync("Kafka connected");
        var (first, second) = (Panel(page, "user1"), Panel(page, "user2"));
        await first.GetByText("connected", new() { Exact = true }).WaitForAsync();
        await second.GetByText("connected", new() { Exact = true }).WaitForAsync();

        await page.GetByLabel("Names, with commas").FillAsync("user1, user2");
        await page.GetByLabel("Message").FocusAsync();
        await page.Keyboard.TypeAsync("The meeting is at ten");
        var toasts = Task.WhenAll(Toast(first, "The meeting is at ten").WaitForAsync(), Toast(second, "The meeting is at ten").WaitForAsync());
        await page.Keyboard.PressAsync("Enter");
        await browser.SeesAsync("Sent to 2 users.");
        await toasts;
        await page.GetByLabel("Names, with commas").FillAsync("user1");
        await page.GetByLabel("Message").FillAsync("<b>bold?</b> <script>document.title = 'broken'</script>");
        await Task.WhenAll(Toast(first, "<b>bold?</b>").WaitForAsync(), page.Keyboard.PressAsync("Enter"));
        await Badge(first, "2").WaitForAsync();
        await Badge(second, "1").WaitForAsync();

        await first.Locator(".bell").FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Item(first, "The meeting is at ten").GetByText("seen").WaitForAsync();
        await first.Locator(".badge").WaitForAsync(new() { State = WaitForSelectorState.Hidden });
        await first.GetByLabel("Read: The meeting is at ten").FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Item(first, "The meeting is at ten").GetByText("read", new() { Exact = true }).WaitForAsync();
        await second.Locator(".bell").ClickAsync();
        await Item(second, "The meeting is at ten").GetByText("seen").WaitForAsync();
        await browser.ShotAsync("notifications-desktop");

        await first.GetByLabel("Archive: The meeting is at ten").ClickAsync();
        await Item(first, "The meeting is at ten").WaitForAsync(new() { State = WaitForSelectorState.Detached });
        await first.Locator(".filter").SelectOptionAsync("archived");
        await Item(first, "The meeting is at ten").WaitForAsync();
        await first.Locator(".filter").FocusAsync();
        await page.Keyboard.PressAsync("Escape");
        await first.Locator(".inbox").WaitForAsync(new() { State = WaitForSelectorState.Hidden });
        (await page.TitleAsync()).Should().Be("Notifications");
        (await browser.FitsAsync()).Should().BeTrue("nothing is wider than the window");
        browser.Complaints.Should().BeEmpty();
    }

    [SkippableFact]
    public async Task On_a_phone_what_is_refused_is_said_and_what_is_sent_to_all_arrives()
    {
        await using var host = await NotificationsHost.StartAsync();
        await host.SendAsync("user1", "n-1", "n-2");
        await using var browser = await Chromium.OpenAsync(new Uri(host.Url, "/?userId=user1"), phone: true, dark: true);
        var page = browser.Page;
        var panel = Panel(page, "user1");
        await Badge(panel, "2").WaitForAsync();

        await page.GetByLabel("Names, with commas").FillAsync("a b");
        await page.GetByLabel("Message").FillAsync("The office closes at six");
        await page.GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await browser.SeesAsync("userIds has 1 to 1,000 ids");
        await page.GetByLabel("To", new() { Exact = true }).SelectOptionAsync("all");
        await Task.WhenAll(
            Toast(panel, "The office closes at six").WaitForAsync(), page.GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync());
        await panel.Locator(".bell").ClickAsync();
        await Item(panel, "The office closes at six").GetByText("seen").WaitForAsync();

        (await browser.FitsAsync()).Should().BeTrue("nothing is wider than the window");
        await panel.ScrollIntoViewIfNeededAsync();
        await browser.ShotAsync("notifications-phone");
    }

    [SkippableFact]
    public async Task Two_devices_of_a_user_agree_and_one_that_was_offline_catches_up()
    {
        await using var host = await NotificationsHost.StartAsync();
        var url = new Uri(host.Url, "/?userId=user1");
        await using var laptop = await Chromium.OpenAsync(url);
        await using var phone = await Chromium.OpenAsync(url, phone: true);
        var (onLaptop, onPhone) = (Panel(laptop.Page, "user1"), Panel(phone.Page, "user1"));
        await Task.WhenAll(
            onLaptop.GetByText("connected", new() { Exact = true }).WaitForAsync(), onPhone.GetByText("connected", new() { Exact = true }).WaitForAsync());
        await Task.WhenAll(
            Toast(onLaptop, "This is n-1").WaitForAsync(), Toast(onPhone, "This is n-1").WaitForAsync(), host.SendAsync("user1", "n-1"));
        await onLaptop.Locator(".bell").ClickAsync();
        await onPhone.Locator(".bell").ClickAsync();

        await phone.Page.Context.SetOfflineAsync(true);
        await onPhone.GetByText("offline").WaitForAsync();
        await onLaptop.GetByLabel("Read: This is n-1").ClickAsync();
        await host.SendAsync("user1", "n-2", "n-3");
        await Item(onLaptop, "This is n-3").WaitForAsync();
        await phone.Page.Context.SetOfflineAsync(false);

        await Item(onPhone, "This is n-1").GetByText("read", new() { Exact = true }).WaitForAsync();
        await Item(onPhone, "This is n-3").WaitForAsync();
        (await onPhone.Locator("li .text").AllTextContentsAsync()).Should().Equal("This is n-3", "This is n-2", "This is n-1");
        await onPhone.GetByLabel("Read: This is n-2").ClickAsync();
        await Item(onLaptop, "This is n-2").GetByText("read", new() { Exact = true }).WaitForAsync();
    }

    [SkippableFact]
    public async Task A_thousand_pending_notifications_are_delivered_once_and_listed_in_pages()
    {
        await using var host = await NotificationsHost.StartAsync();
        await host.SendAsync("user1", [.. Enumerable.Range(1, 1_000).Select(number => $"n-{number}")]);
        await host.StoredAsync("user1", 1_000);
        await using var browser = await Chromium.OpenAsync(new Uri(host.Url, "/?userId=user1"));
        var panel = Panel(browser.Page, "user1");

        await Badge(panel, "999+").WaitForAsync();
        await NotificationsHost.UntilAsync(
            async () => (await host.ListAsync("user1", "&state=pending")).GetProperty("count").GetInt32() == 0, "all are acknowledged");
        (await panel.Locator(".toast").CountAsync()).Should().BeInRange(1, 3);
        await panel.Locator(".bell").ClickAsync();
        await panel.GetByText("1000 notifications").WaitForAsync();
        await Item(panel, "This is n-1000").GetByText("seen").WaitForAsync();
        await panel.GetByRole(AriaRole.Button, new() { Name = "Older notifications" }).ClickAsync();
        await Item(panel, "This is n-961").WaitForAsync();
        (await panel.Locator("li .text").AllTextContentsAsync()).Should().Equal(Enumerable.Range(0, 40).Select(number => $"This is n-{1_000 - number}"));
        await panel.GetByRole(AriaRole.Button, new() { Name = "Mark all as read" }).ClickAsync();
        await NotificationsHost.UntilAsync(
            async () => (await host.ListAsync("user1", "&state=read")).GetProperty("count").GetInt32() == 1_000, "all are read");
        browser.Complaints.Should().BeEmpty();
    }

    internal static ILocator Panel(IPage page, string userId) => page.GetByLabel($"Notifications of {userId}", new() { Exact = true });

    internal static ILocator Item(ILocator panel, string text) => panel.Locator("li", new() { HasText = text }).First;

    private static ILocator Toast(ILocator panel, string text) => panel.Locator(".toast", new() { HasText = text });

    private static ILocator Badge(ILocator panel, string text) => panel.Locator(".badge", new() { HasText = text });
}
