using Microsoft.Extensions.Options;

namespace ClientToClient.ClientB;

/// <summary>Decides which messages fail on purpose. Thread-safe.</summary>
internal sealed class ForcedFailure(IOptions<ClientBOptions> options, Random random)
{
    private volatile bool _isOn = options.Value.ForceFailure;

    /// <summary>Whether every message for client B fails. At first <see cref="ClientBOptions.ForceFailure"/>.</summary>
    public bool IsOn
    {
        get => _isOn;
        set => _isOn = value;
    }

    /// <summary>Fails every message while it is on, else as many as <see cref="ClientBOptions.SuccessRate"/> says.</summary>
    /// <exception cref="InvalidOperationException">This message fails.</exception>
    public void ThrowIfChosen()
    {
        if (IsOn || random.NextDouble() >= options.Value.SuccessRate)
        {
            throw new InvalidOperationException("Forced failure: see ClientB:ForceFailure and ClientB:SuccessRate.");
        }
    }
}
