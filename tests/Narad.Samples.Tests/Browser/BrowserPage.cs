using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace Narad.Samples.Tests.Browser;

/// <summary>A page, and what it complained about.</summary>
internal sealed class BrowserPage : IAsyncDisposable
{
    private const float Deadline = 60_000;

    private readonly IBrowserContext _context;
    private readonly ConcurrentQueue<string> _complaints = new();

    public BrowserPage(IBrowserContext context, IPage page)
    {
        _context = context;
        Page = page;
        context.SetDefaultTimeout(Deadline);
        page.PageError += (_, error) => _complaints.Enqueue(error);
        page.Console += (_, message) =>
        {
            if (message.Type is "error")
            {
                _complaints.Enqueue(message.Text);
            }
        };
    }

    public IPage Page { get; }

    /// <summary>Uncaught errors of scripts, refused resources, and what else the console shows as an error.</summary>
    public IReadOnlyCollection<string> Complaints => _complaints;

    /// <summary>Waits until an element with this text is visible.</summary>
    public Task SeesAsync(string text) => Page.GetByText(text).First.WaitForAsync();

    /// <summary>Whether nothing is wider than the window.</summary>
    public Task<bool> FitsAsync() => Page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth");

    /// <summary>Writes a picture where NARAD_TEST_SCREENSHOTS names a folder: for the samples' readmes.</summary>
    public async Task ShotAsync(string name)
    {
        if (Environment.GetEnvironmentVariable("NARAD_TEST_SCREENSHOTS") is { Length: > 0 } folder)
        {
            await Page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, $"{name}.png") });
        }
    }

    public async ValueTask DisposeAsync() => await _context.CloseAsync();
}
