using Microsoft.Playwright;
using Narad.Samples.Tests.Browser;

namespace Narad.Samples.Tests.Chat;

/// <summary>A user at the page.</summary>
internal sealed class ChatPage : IAsyncDisposable
{
    private readonly BrowserPage _browser;

    private ChatPage(BrowserPage browser) => _browser = browser;

    public IPage Page => _browser.Page;

    /// <summary>Errors, apart from the one that the browser logs where nobody is signed in yet, and where the server cannot be reached.</summary>
    public IEnumerable<string> Complaints => _browser.Complaints.Where(static text =>
        !text.Contains("401", StringComparison.Ordinal)
        && !text.Contains("net::ERR", StringComparison.Ordinal)
        && !text.Contains("WebSocket connection to", StringComparison.Ordinal));

    public static async Task<ChatPage> SignInAsync(Uri server, string name, bool phone = false, bool dark = false)
    {
        var chat = new ChatPage(await Chromium.OpenAsync(server, phone, dark));
        await chat.Page.GetByLabel("Your name").FillAsync(name);
        await chat.Page.Keyboard.PressAsync("Enter");
        await chat.Page.Locator("#state").GetByText("Online").WaitForAsync();
        return chat;
    }

    /// <summary>Joins a room by keyboard, and looks at it.</summary>
    public async Task JoinAsync(string room)
    {
        await Page.GetByLabel("Join or create a room").FillAsync(room);
        await Page.Keyboard.PressAsync("Enter");
        await Page.Locator("#roomName").GetByText(room, new() { Exact = true }).WaitForAsync();
        await Page.Locator("#list > .line").First.Filter(new() { HasNotText = "Loading" }).WaitForAsync();
    }

    public Task OpenAsync(string room) => Page.GetByRole(AriaRole.Link, new() { Name = room }).ClickAsync();

    public async Task SendAsync(string text)
    {
        await Page.GetByLabel("Message", new() { Exact = true }).FillAsync(text);
        await Page.Keyboard.PressAsync("Enter");
    }

    /// <summary>Waits until a text is shown in the room that is looked at.</summary>
    public Task SeesAsync(string text) => Page.Locator("#room").GetByText(text).First.WaitForAsync();

    /// <summary>Waits until a message is shown.</summary>
    public Task SeesMessageAsync(string text) => Row(text).WaitForAsync();

    /// <summary>Waits until a message has a status: waiting, sent, delivered or read.</summary>
    public Task SeesStatusAsync(string text, string status) => Row(text).And(Page.Locator($".{status}")).WaitForAsync();

    public ILocator Row(string text) => Page.Locator("#list > .message").Filter(new() { HasText = text });

    /// <summary>The texts of the messages that are shown.</summary>
    public Task<IReadOnlyList<string>> TextsAsync() => Page.Locator("#list .text").AllTextContentsAsync();

    public Task<bool> FitsAsync() => _browser.FitsAsync();

    public Task ShotAsync(string name) => _browser.ShotAsync(name);

    public ValueTask DisposeAsync() => _browser.DisposeAsync();
}
