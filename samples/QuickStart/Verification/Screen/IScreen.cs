using QuickStart.Verification.Recording;

namespace QuickStart.Verification.Screen;

/// <summary>Shows a run while it continues. Thread-safe.</summary>
internal interface IScreen
{
    /// <summary>Shows the record, again and again, until the work is done.</summary>
    Task<Summary> ShowAsync(Func<Snapshot> records, Func<Task<Summary>> work);

    /// <summary>Says what happens now.</summary>
    void Say(string news);

    /// <summary>Says what is wrong with one line, and continues.</summary>
    void Report(string problem);
}
