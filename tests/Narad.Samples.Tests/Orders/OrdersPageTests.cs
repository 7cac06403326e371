using Microsoft.Playwright;
using Narad.Samples.Tests.Browser;
using Orders;

namespace Narad.Samples.Tests.Orders;

/// <summary>The page in Chromium, with all roles in this process.</summary>
public sealed class OrdersPageTests : IAsyncLifetime
{
    private RunningSample _sample = null!;

    public async Task InitializeAsync() => _sample = await Sample.StartAsync(
        [
            .. OrdersRoles.All().Select(static role => $"--urls:{role.Name}=http://127.0.0.1:0"),
            "--Orders:Saga:StepTimeout=00:30:00",   // no order is cancelled because the machine is busy
        ],
        OrdersRoles.All());

    public async Task DisposeAsync() => await _sample.DisposeAsync();

    [SkippableFact]
    public async Task An_order_ships_a_refused_one_is_cancelled_and_a_dead_letter_goes_on_when_it_is_redriven()
    {
        await using var browser = await Chromium.OpenAsync(_sample.UrlOf("orders"));
        var page = browser.Page;
        await page.SetViewportSizeAsync(1280, 800);
        await ReadyAsync(browser);

        // By keyboard.
        await page.GetByLabel("Customer").FillAsync("ann");
        await page.Keyboard.PressAsync("Enter");
        await Card(page, "ann", "Shipped").WaitForAsync();

        await SetAsync(page, "Payment refuses", "always");
        await PlaceAsync(page, "ben");
        await Card(page, "ben", "Cancelled").WaitForAsync();
        await Card(page, "ben", "Cancelled").GetByRole(AriaRole.Button).FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await page.Locator("#events").GetByText("ORDER_CANCELLED").WaitForAsync();
        (await page.Locator("#events .type").AllTextContentsAsync()).Should().StartWith(["ORDER_CREATED", "PAYMENT_FAILED"]).And.EndWith("ORDER_CANCELLED");
        await page.Keyboard.PressAsync("Escape");
        await page.Locator("#details").WaitForAsync(new() { State = WaitForSelectorState.Hidden });
        await SetAsync(page, "Payment refuses", "never");

        await SetAsync(page, "Shipping fails", "always");
        await PlaceAsync(page, "carla");
        var redrive = page.Locator("#deadLetters").GetByRole(AriaRole.Button, new() { Name = "Redrive" });
        await redrive.WaitForAsync();
        await Card(page, "carla", "AwaitingShipping").WaitForAsync();
        await SetAsync(page, "Shipping fails", "never");
        await redrive.ClickAsync();
        await Card(page, "carla", "Shipped").WaitForAsync();
        await page.Locator("#deadLetters").GetByText("Order shipped").WaitForAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Rebuild the list" }).ClickAsync();
        await page.GetByText("Read model 2", new() { Exact = true }).WaitForAsync();
        await Card(page, "carla", "Shipped").WaitForAsync();

        await SetAsync(page, "Stock answers", "after 2 s");
        await PlaceTwentyAsync(page);
        await browser.ShotAsync("orders-desktop");
        (await browser.FitsAsync()).Should().BeTrue("nothing is wider than the window");
        browser.Complaints.Should().BeEmpty();
    }

    [SkippableFact]
    public async Task On_a_phone_an_order_is_looked_at_and_cancelled_and_the_list_is_filtered()
    {
        await using var browser = await Chromium.OpenAsync(_sample.UrlOf("orders"), phone: true, dark: true);
        var page = browser.Page;
        await ReadyAsync(browser);
        await SetAsync(page, "Stock answers", "after 5 s");
        await PlaceAsync(page, "<b>zoe</b>");
        await Card(page, "<b>zoe</b>", "AwaitingStock").GetByRole(AriaRole.Button).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel the order" }).ClickAsync();
        await page.Locator("#events").GetByText("ORDER_CANCELLED").WaitForAsync();
        await page.Locator("#events").GetByText("is paid back").WaitForAsync();
        await browser.ShotAsync("orders-phone-order");
        await page.GetByLabel("Close").ClickAsync();

        await PlaceTwentyAsync(page);
        await page.Locator("#ordersTitle").ScrollIntoViewIfNeededAsync();
        await browser.ShotAsync("orders-phone");
        (await browser.FitsAsync()).Should().BeTrue("nothing is wider than the window");
        await page.Locator("#states button[data-state=Cancelled]").ClickAsync();
        await page.Locator("#board > li[data-state=Shipped]").First.WaitForAsync(new() { State = WaitForSelectorState.Detached });
        await Card(page, "<b>zoe</b>", "Cancelled").WaitForAsync();
        browser.Complaints.Should().BeEmpty();
    }

    private static async Task PlaceTwentyAsync(IPage page)
    {
        var shipped = await page.Locator("#board > li[data-state=Shipped]").CountAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Place 20" }).ClickAsync();
        await page.GetByText("20 orders are placed.").WaitForAsync();
        await page.Locator("#board > li[data-state=Shipped]").Nth(shipped + 3).WaitForAsync();
    }

    private static async Task ReadyAsync(BrowserPage browser)
    {
        await browser.SeesAsync("Kafka connected");
        await browser.Page.Locator("#live").GetByText("live", new() { Exact = true }).WaitForAsync();
        await browser.Page.GetByLabel("Shipping answers").WaitForAsync();
        await browser.Page.Locator("#sku option").First.WaitForAsync(new() { State = WaitForSelectorState.Attached });
    }

    private static async Task PlaceAsync(IPage page, string customer)
    {
        await page.GetByLabel("Customer").FillAsync(customer);
        await page.GetByRole(AriaRole.Button, new() { Name = "Place order" }).ClickAsync();
    }

    // When it is answered, the topic has it; the participant gets it a moment later, which an order that is placed now does not overtake.
    private static async Task SetAsync(IPage page, string setting, string choice) => await page.RunAndWaitForResponseAsync(
        () => page.GetByLabel(setting).SelectOptionAsync(choice), static response => response.Request.Method is "PUT");

    private static ILocator Card(IPage page, string customer, string state) =>
        page.Locator($"#board > li[data-state={state}]").Filter(new() { HasText = customer });
}
