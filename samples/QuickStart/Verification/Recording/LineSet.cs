namespace QuickStart.Verification.Recording;

/// <summary>A set of line numbers: one bit a line. Single-threaded.</summary>
internal sealed class LineSet
{
    private ulong[] _bits = new ulong[64];

    /// <summary>Adds a line.</summary>
    /// <returns>Whether it was not there yet.</returns>
    public bool Add(long line)
    {
        var word = line / 64;
        if (word >= _bits.Length)
        {
            Array.Resize(ref _bits, checked((int)Math.Max(word + 1, Math.Min(_bits.LongLength * 2, Array.MaxLength))));
        }

        var bit = 1UL << (int)(line % 64);
        var isNew = (_bits[word] & bit) == 0;
        _bits[word] |= bit;
        return isNew;
    }

    public bool Contains(long line) => line / 64 is var word && word < _bits.Length && (_bits[word] & (1UL << (int)(line % 64))) != 0;
}
