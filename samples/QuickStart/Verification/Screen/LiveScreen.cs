using System.Globalization;
using QuickStart.Verification.Recording;
using Spectre.Console;

namespace QuickStart.Verification.Screen;

/// <summary>A table that is drawn again ten times a second, for people at a terminal.</summary>
internal sealed class LiveScreen(IAnsiConsole console, TextWriter? error) : IScreen
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    public Task<Summary> ShowAsync(Func<Snapshot> records, Func<Task<Summary>> work) =>
        console.Live(Draw(records())).AutoClear(true).StartAsync(async live =>
        {
            var running = work();
            while (await Task.WhenAny(running, Task.Delay(Interval)) != running)
            {
                live.UpdateTarget(Draw(records()));
            }

            return await running;
        });

    public void Say(string news) => console.WriteLine(news);

    // Standard error goes to the same terminal as the table, which must know of every line between; or elsewhere, where it is told.
    public void Report(string problem)
    {
        if (error is null)
        {
            console.WriteLine(problem, new Style(Color.Yellow));
        }
        else
        {
            error.WriteLine(problem);
        }
    }

    private static Table Draw(Snapshot now)
    {
        var table = new Table().Border(TableBorder.Rounded).BorderColor(Color.Grey).HideHeaders().AddColumns("", "");
        table.Columns[1].Alignment(Justify.Right).Width(16);
        table.AddRow(new Text("sent"), Figure(now.Sent));
        table.AddRow(new Text("acknowledged"), Figure(now.Acknowledged));
        table.AddRow(new Text("handled"), Figure(now.Handled, Color.Green));
        table.AddRow(new Text("out of order"), Figure(now.OutOfOrder, now.OutOfOrder > 0 ? Color.Red : null));
        table.AddRow(new Text("per second"), Figure(now.PerSecond ?? 0));
        return table;
    }

    private static Text Figure(double value, Color? color = null) => new(value.ToString("N0", CultureInfo.InvariantCulture), new Style(color));
}
