using Narad.Samples.Tests.Browser;

namespace Narad.Samples.Tests.MessageStore;

/// <summary>The page in Chromium.</summary>
public sealed class PageTests
{
    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_message_is_sent_by_keyboard_shown_escaped_and_found_in_kafka(bool phone)
    {
        await using var sample = await MessageStoreHosts.StartAsync();
        await using var browser = await Chromium.OpenAsync(sample.UrlOf("api"), phone, dark: phone);
        var page = browser.Page;
        await browser.SeesAsync("Kafka connected");
        await browser.SeesAsync("Nothing is stored yet.");
        await browser.SeesAsync("The embedded broker keeps no topic settings.");

        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.TypeAsync("Hello from the keyboard");
        await page.Keyboard.PressAsync("Enter");
        await browser.SeesAsync("Hello from the keyboard");
        await page.GetByLabel("New message").FillAsync("<b>bold?</b> <script>document.title = 'broken'</script>");
        await page.GetByRole(Microsoft.Playwright.AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await browser.SeesAsync("<b>bold?</b>");
        await page.GetByText("stored, in Kafka").Nth(1).WaitForAsync();

        (await page.Locator("#list .text").AllTextContentsAsync()).Should()
            .Equal("<b>bold?</b> <script>document.title = 'broken'</script>", "Hello from the keyboard");
        (await page.TitleAsync()).Should().Be("Message store");
        (await browser.FitsAsync()).Should().BeTrue("nothing is wider than the window");
        await browser.ShotAsync(phone ? "message-store-phone" : "message-store-desktop");
        browser.Complaints.Should().BeEmpty();
    }

    [SkippableFact]
    public async Task Older_messages_come_on_demand_and_a_refused_message_says_why()
    {
        await using var sample = await MessageStoreHosts.StartAsync();
        var url = sample.UrlOf("api");
        for (var number = 1; number <= 25; number++)
        {
            await MessageStoreHosts.PostAsync(url, $"number {number}.");
        }

        await using var browser = await Chromium.OpenAsync(url);
        var page = browser.Page;
        await browser.SeesAsync("number 25.");
        (await page.Locator("#list > li").CountAsync()).Should().Be(20);
        await page.GetByRole(Microsoft.Playwright.AriaRole.Button, new() { Name = "Older messages" }).ClickAsync();
        await browser.SeesAsync("number 1.");
        (await page.Locator("#list > li").CountAsync()).Should().Be(25);

        await page.GetByLabel("New message").FillAsync("   ");
        await page.GetByRole(Microsoft.Playwright.AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        (await page.GetByRole(Microsoft.Playwright.AriaRole.Alert).First.TextContentAsync()).Should().Contain("required");
    }
}
