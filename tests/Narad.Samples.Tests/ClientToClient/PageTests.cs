using Microsoft.Playwright;
using Narad.Samples.Tests.Browser;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>Client A's page in Chromium.</summary>
public sealed class PageTests : IAsyncLifetime
{
    private const string Hostile = "<b>bold?</b> <script>document.title = 'broken'</script>";

    private readonly EmbeddedSampleBroker _broker = new();
    private readonly TwoServices _services = new();

    public async Task InitializeAsync()
    {
        await _services.StartClientAAsync(_broker);
        await _services.StartClientBAsync(_broker, options => options.ForceFailure = true);
    }

    public async Task DisposeAsync()
    {
        await _services.DisposeAsync();
        _broker.Dispose();
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_message_is_sent_by_keyboard_dead_lettered_and_redriven(bool phone)
    {
        await using var browser = await Chromium.OpenAsync(_services.ClientA, phone, dark: phone);
        var page = browser.Page;
        await browser.SeesAsync("Kafka connected");
        await browser.SeesAsync("There are none.");

        await page.GetByLabel("From").FocusAsync();
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.TypeAsync("Where is my order?");
        await page.Keyboard.PressAsync("Enter");
        await browser.SeesAsync("Sent to clientB.");
        await _services.UntilDeadLetterAsync();
        await page.GetByLabel("Message", new() { Exact = true }).FillAsync(Hostile);
        await page.GetByRole(AriaRole.Button, new() { Name = "Send", Exact = true }).ClickAsync();
        await _services.UntilDeadLetterAsync(count: 2);

        var buttons = page.GetByRole(AriaRole.Button, new() { Name = "Redrive" });
        await buttons.Nth(1).WaitForAsync();
        (await page.Locator("#deadLetters .text").AllTextContentsAsync()).Should().Equal("Where is my order?", Hostile);
        await browser.SeesAsync("Forced failure");
        await _services.ForceFailureAsync(false);
        await buttons.First.FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await browser.SeesAsync("Saved by client B");

        (await buttons.CountAsync()).Should().Be(1, "the other one is still a dead letter");
        _services.Saved().Where(entry => entry.SavedBy == "clientB").Should().ContainSingle().Which.Content.Message.Should().Be("Where is my order?");
        (await page.TitleAsync()).Should().Be("Client to client");
        (await browser.FitsAsync()).Should().BeTrue("nothing is wider than the window");
        await browser.ShotAsync(phone ? "client-to-client-phone" : "client-to-client-desktop");
        browser.Complaints.Should().BeEmpty();
    }

    [SkippableFact]
    public async Task What_is_refused_says_why()
    {
        await using var browser = await Chromium.OpenAsync(_services.ClientA);
        var page = browser.Page;
        await browser.SeesAsync("There are none.");

        await page.GetByLabel("Message", new() { Exact = true }).FillAsync("   ");
        await page.GetByRole(AriaRole.Button, new() { Name = "Send", Exact = true }).ClickAsync();

        await page.GetByRole(AriaRole.Alert).First.WaitForAsync();
        (await page.GetByRole(AriaRole.Alert).First.TextContentAsync()).Should().Contain("required");
        _services.Saved().Should().BeEmpty();
    }
}
