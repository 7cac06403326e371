namespace QuickStart.Verification.Recording;

/// <summary>The acknowledged lines of one partition that are not covered yet. Single-threaded: under the recorder's lock.</summary>
internal sealed class Uncovered(bool isOurs)
{
    private readonly List<(long Offset, long Line)> _ours = [];   // only this process can have handled these
    private readonly List<(long Offset, long Line)> _shared = []; // another member may have

    private bool _isOurs = isOurs;

    public int Waiting { get; private set; }

    public int Suspects { get; private set; }

    public void Add(long offset, long line) => (_isOurs ? _ours : _shared).Add((offset, line));

    public void Cover(bool stillOurs, long committed, LineSet handled)
    {
        _isOurs = stillOurs;
        if (!stillOurs)
        {
            _shared.AddRange(_ours);
            _ours.Clear();
        }

        _shared.RemoveAll(line => line.Offset < committed);
        _ours.RemoveAll(line => line.Offset < committed && handled.Contains(line.Line));
        Suspects = _ours.Count(line => line.Offset < committed);
        Waiting = _ours.Count + _shared.Count - Suspects;
    }

    public long CountUnhandled(LineSet handled) =>
        _ours.LongCount(line => !handled.Contains(line.Line)) + _shared.LongCount(line => !handled.Contains(line.Line));
}
