"""Do the suggested remedies fix more failing programs than remedies drawn at random?"""
