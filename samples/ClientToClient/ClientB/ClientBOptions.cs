namespace ClientToClient.ClientB;

/// <summary>Section <c>ClientB</c>: failures to order.</summary>
internal sealed class ClientBOptions
{
    /// <summary>Whether every message for client B fails. Default false.</summary>
    public bool ForceFailure { get; set; }

    /// <summary>How likely a message for client B is to succeed, each time; 0 to 1. Default 1.</summary>
    public double SuccessRate { get; set; } = 1;
}
