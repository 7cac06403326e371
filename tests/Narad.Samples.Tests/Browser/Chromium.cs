using Microsoft.Playwright;

namespace Narad.Samples.Tests.Browser;

/// <summary>One headless Chromium for all tests of this process; it ends with it. Thread-safe.</summary>
internal static class Chromium
{
    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

    // No sandbox, because tests may run as root; and nothing that looks for a network.
    private static readonly string[] Arguments =
        ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

    private static readonly Lazy<Task<IBrowser>> Browser = new(LaunchAsync);

    /// <summary>Opens a page in a window of its own. Skips the test where there is no Chromium.</summary>
    /// <param name="url">What it shows.</param>
    /// <param name="phone">The size of a phone, with touch, else of a desktop.</param>
    /// <param name="dark">Whether the user prefers dark colours.</param>
    public static async Task<BrowserPage> OpenAsync(Uri url, bool phone = false, bool dark = false)
    {
        Skip.If(Executable() is null, "There is no Chromium: install it, or name its program in NARAD_TEST_CHROMIUM.");
        var browser = await Browser.Value;
        var context = await browser.NewContextAsync(new BrowserNewContextOptions
        {
            ViewportSize = phone ? new ViewportSize { Width = 390, Height = 844 } : new ViewportSize { Width = 1100, Height = 800 },
            HasTouch = phone,
            IsMobile = phone,
            ColorScheme = dark ? ColorScheme.Dark : ColorScheme.Light,
            ReducedMotion = ReducedMotion.Reduce,
            Locale = "en-GB",
            TimezoneId = "UTC",
        });
        var opened = new BrowserPage(context, await context.NewPageAsync());
        await opened.Page.GotoAsync(url.ToString());
        return opened;
    }

    private static async Task<IBrowser> LaunchAsync()
    {
        var playwright = await Playwright.CreateAsync();
        return await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = Executable(), Args = Arguments, Timeout = 120_000 });
    }

    private static string? Executable()
    {
        if (Environment.GetEnvironmentVariable("NARAD_TEST_CHROMIUM") is { Length: > 0 } named)
        {
            return named;
        }

        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        return Names.SelectMany(name => folders.Select(folder => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
    }
}
